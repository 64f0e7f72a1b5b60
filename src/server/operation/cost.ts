import {
  type ExecutionArgs,
  type ExecutionResult,
  type FragmentDefinitionNode,
  type GraphQLError,
  getOperationAST,
  Kind,
} from 'graphql';
import { QuotaExceededError } from '../../errors.ts';
import type { Context } from '../../graphql/context.ts';
import { estimateCost, measureCost, type PricedOperation } from '../../graphql/cost.ts';
import { toGraphQLError } from '../../graphql/errors.ts';
import { coerceVariables } from './coerce-variables.ts';
import type { PipelinePlugin } from './plugin.ts';
import { rejectedResult, requestError } from './request-error.ts';

/**
 * The maximum cost of one operation. A page of 100 lip-syncs with all their fields costs 700. With 100 events for each,
 * more than a real lip-sync has, it costs over 10,000. No normal query of a client costs more.
 */
const maxCost = 12_000;

/** The minimum cost of an operation, also of one that selects only fields without a cost. */
const minCost = 1;

type Charge = {
  operation: PricedOperation;
  owner: string;
  requested: number;
  /** The owner's remaining budget after this charge; null: no limit. */
  remaining: number | null;
};

type ChargeOutcome = { charge: Charge } | { errors: readonly GraphQLError[] };

/**
 * Limits the cost of each operation, takes it from the owner's budget per minute, and reports in `extensions.cost` the
 * requested cost, the actual cost and the remaining budget. The estimate is charged before execution. Afterwards only the
 * items that a list did not have are refunded, and nothing of a mutation. A subscription is charged once, as one event,
 * and reports its cost with the first event. A client that disconnects before then gets no refund.
 */
export function useCost({ hasSuggestions }: { hasSuggestions: boolean }): PipelinePlugin {
  const chargeEstimate = async (args: ExecutionArgs): Promise<ChargeOutcome> => {
    const operation = readOperation(args, { hideSuggestions: !hasSuggestions });
    if ('errors' in operation) return operation;
    const { caller, services } = args.contextValue as Context;
    const { owner } = caller;
    const requested = Math.max(minCost, estimateCost(operation));
    const limit = Math.min(maxCost, services.quotas.limits.costPerMinute ?? maxCost);
    if (requested > limit) return { errors: [costTooHighError(requested, limit)] };
    try {
      const remaining = await services.quotas.spend(owner, requested);
      return { charge: { operation, owner, requested, remaining } };
    } catch (thrown) {
      if (thrown instanceof QuotaExceededError) return { errors: [toGraphQLError(thrown)] };
      throw thrown;
    }
  };

  return {
    async onExecute({ args, setResultAndStopExecution }) {
      const outcome = await chargeEstimate(args);
      if ('errors' in outcome) return setResultAndStopExecution(rejectedResult(outcome.errors));
      return {
        async onExecuteDone({ result }) {
          const executed = result as ExecutionResult;
          const settled = await settleCost(outcome.charge, executed, args.contextValue);
          executed.extensions = { ...executed.extensions, ...settled };
        },
      };
    },
    async onSubscribe({ args, setResultAndStopExecution }) {
      const outcome = await chargeEstimate(args);
      if ('errors' in outcome) return setResultAndStopExecution(rejectedResult(outcome.errors));
      const context = args.contextValue as Context;
      settlements.set(context, (result) => settleCost(outcome.charge, result, context));
      return undefined;
    },
  };
}

type Settlement = (result: ExecutionResult) => Promise<{ cost: unknown }>;
const settlements = new WeakMap<object, Settlement>();

/** Settles the cost of a subscription with its first result. Null for an operation that was not charged. */
export function settlementOf(context: object): Settlement | null {
  return settlements.get(context) ?? null;
}

function readOperation(
  { schema, document, operationName, variableValues }: ExecutionArgs,
  options: { hideSuggestions: boolean },
): PricedOperation | { errors: readonly GraphQLError[] } {
  const operation = getOperationAST(document, operationName);
  if (operation == null) throw new Error('The document has no operation to execute.');
  const variables = coerceVariables({ schema, operation }, variableValues ?? {}, options);
  if ('errors' in variables) return variables;
  const fragments = document.definitions
    .filter((each): each is FragmentDefinitionNode => each.kind === Kind.FRAGMENT_DEFINITION)
    .map((each) => [each.name.value, each] as const);
  return { schema, operation, fragments: new Map(fragments), variables: variables.coerced };
}

function costTooHighError(requested: number, limit: number): GraphQLError {
  const cost = Number.isFinite(requested) ? `${requested}` : 'more than can be counted';
  return requestError(
    'COST_TOO_HIGH',
    `This operation costs ${cost}; it may cost at most ${limit}.`,
  );
}

/** @returns the extension of the result that reports the cost */
async function settleCost(
  { operation, owner, requested, remaining }: Charge,
  result: ExecutionResult,
  { services, log }: Context,
): Promise<{ cost: unknown }> {
  const measured = measureCost(operation, result.data);
  const actual = Math.min(requested, Math.max(minCost, measured));
  await services.quotas.refund(owner, requested - actual).catch((error: unknown) => {
    log.warn({ err: error }, 'the refund of unused cost failed');
  });
  const left = remaining === null ? null : Math.floor(remaining + requested - actual);
  return { cost: { requested, actual, remaining: left } };
}
