import type { Plugin } from '@envelop/core';
import {
  type ExecutionArgs,
  type ExecutionResult,
  type FragmentDefinitionNode,
  type GraphQLError,
  getOperationAST,
  getVariableValues,
  Kind,
} from 'graphql';
import { QuotaExceededError } from '../../errors.ts';
import type { Context } from '../../graphql/context.ts';
import { estimateCost, measureCost, type PricedOperation } from '../../graphql/cost.ts';
import { toGraphQLError } from '../../graphql/errors.ts';
import { withoutValue } from './masking.ts';
import { refuse, refused } from './request-error.ts';

/**
 * What one operation may cost. A page of 100 lip-syncs with all that belongs to each is 700; with 100 events of each,
 * which nobody has, it is over 10,000. More than that in one answer is no question of a client.
 */
const mostCost = 12_000;

/** An operation costs something even where nothing of it does. */
const leastCost = 1;

/** As GraphQL's own execution: callers who send more mistakes than this learn nothing from the rest. */
const mostErrors = 50;

type Charge = {
  operation: PricedOperation;
  owner: string;
  requested: number;
  /** What the owner could still spend when this was spent; null = no limit. */
  remaining: number | null;
};

type Begun = { charge: Charge } | { errors: readonly GraphQLError[] };

/**
 * Holds each operation to what it may cost, takes that from what its owner may spend in a minute, and tells in
 * `extensions.cost` what was requested, what it came to, and what is left. What was not needed is given back. A
 * subscription is charged when it begins, as one event, and tells with its first.
 */
export function useCharge({ hasSuggestions }: { hasSuggestions: boolean }): Plugin<Context> {
  const begin = async (args: ExecutionArgs): Promise<Begun> => {
    const operation = readOperation(args, { hideSuggestions: !hasSuggestions });
    if ('errors' in operation) return operation;
    const { caller, services } = args.contextValue as Context;
    const { owner } = caller;
    const requested = Math.max(leastCost, estimateCost(operation));
    const most = Math.min(mostCost, services.quotas.limits.costPerMinute ?? mostCost);
    if (requested > most) return { errors: [tooDear(requested, most)] };
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
      const begun = await begin(args);
      if ('errors' in begun) return setResultAndStopExecution(refused(begun.errors));
      return {
        onExecuteDone: ({ result }) =>
          settle(begun.charge, result as ExecutionResult, args.contextValue),
      };
    },
    async onSubscribe({ args, setResultAndStopExecution }) {
      const begun = await begin(args);
      if ('errors' in begun) return setResultAndStopExecution(refused(begun.errors));
      let isFirst = true;
      return {
        onSubscribeResult: () => ({
          async onNext({ result }) {
            if (!isFirst) return;
            isFirst = false;
            await settle(begun.charge, result as ExecutionResult, args.contextValue);
          },
        }),
      };
    },
  };
}

function readOperation(
  { schema, document, operationName, variableValues }: ExecutionArgs,
  { hideSuggestions }: { hideSuggestions: boolean },
): PricedOperation | { errors: readonly GraphQLError[] } {
  const operation = getOperationAST(document, operationName);
  if (operation == null) throw new Error('A document came to be executed without an operation.');
  const { coerced, errors } = getVariableValues(
    schema,
    operation.variableDefinitions ?? [],
    variableValues ?? {},
    { maxErrors: mostErrors, hideSuggestions },
  );
  if (errors !== undefined) {
    return { errors: errors.map(badInput) };
  }
  const fragments = document.definitions
    .filter((each): each is FragmentDefinitionNode => each.kind === Kind.FRAGMENT_DEFINITION)
    .map((each) => [each.name.value, each] as const);
  return { schema, operation, fragments: new Map(fragments), variables: coerced };
}

function badInput(error: GraphQLError): GraphQLError {
  const { message, nodes } = withoutValue(error);
  return refuse('BAD_USER_INPUT', message, nodes);
}

function tooDear(requested: number, most: number): GraphQLError {
  const what = Number.isFinite(requested) ? `${requested}` : 'more than can be counted';
  return refuse('COST_TOO_HIGH', `This operation costs ${what}; it may cost at most ${most}.`);
}

async function settle(
  { operation, owner, requested, remaining }: Charge,
  result: ExecutionResult,
  { services, log }: Context,
): Promise<void> {
  const measured = measureCost(operation, result.data);
  const actual = Math.min(requested, Math.max(leastCost, measured));
  await services.quotas.refund(owner, requested - actual).catch((error: unknown) => {
    log.warn({ err: error }, 'cost that was not needed could not be given back');
  });
  const left = remaining === null ? null : Math.floor(remaining + requested - actual);
  const cost = { requested, actual, remaining: left };
  result.extensions = { ...result.extensions, cost };
}
