import { type ExecutionResult, OperationTypeNode } from 'graphql';
import type { Context } from '../../graphql/context.ts';
import { executePlan } from '../../graphql/execution/execute.ts';
import type { OperationPlan, Variables } from '../../graphql/execution/plan.ts';
import type { Subscriptions } from '../subscriptions/open.ts';
import type { PayloadStream } from '../subscriptions/payload-stream.ts';
import { type Charge, chargeCost, chargeEvent, settleCost, settleMeasured } from './cost.ts';
import { type Introspection, mayIntrospect } from './introspection.ts';
import { maskError, maskResult } from './masking.ts';
import type { PreparedOperation } from './prepared-operation.ts';
import { isRejectedResult, rejectedResult } from './request-error.ts';
import { limitResult } from './result-size.ts';
import { SharedAnswers } from './shared-answers.ts';

export type RunInput = {
  /** As the client sent them. */
  variables: Variables | null | undefined;
  context: Context;
  /** Executes the operation even if an answer of another caller could be sent again. */
  needsExecution?: boolean;
};

/** One result, or the results of a subscription. A result without `data` rejects the operation: it was not executed. */
export type RunResult = ExecutionResult | PayloadStream;

export type Run = (operation: PreparedOperation, input: RunInput) => Promise<RunResult>;

/** Executes prepared operations for all transports: the policies that depend on the caller and the variables are here. */
type RunnerParts = { introspection: Introspection; subscriptions: Subscriptions };

export function createRunner({ introspection, subscriptions }: RunnerParts): Run {
  const answers = new SharedAnswers();
  return async (operation, input) => {
    const { caller } = input.context;
    try {
      const { introspectionErrors } = operation;
      if (introspectionErrors.length > 0 && !mayIntrospect(introspection, caller)) {
        return rejectedResult(introspectionErrors);
      }
      const coerced = operation.coerceVariables(input.variables ?? {});
      if ('errors' in coerced) return rejectedResult(coerced.errors);
      const { coerced: variables } = coerced;
      const planned = operation.planFor(variables);
      const charge = await chargeCost({ price: planned.price, variables }, input.context);
      if ('errors' in charge) return rejectedResult(charge.errors);
      const charged = { ...input, operation, plan: planned.plan, charge };
      return operation.operation.operation === OperationTypeNode.SUBSCRIPTION
        ? await subscribe(charged, subscriptions)
        : await execute(charged, answers);
    } catch (thrown) {
      return rejectedResult([maskOne(thrown, input.context)]);
    }
  };
}

type ChargedOperation = RunInput & {
  operation: PreparedOperation;
  plan: OperationPlan;
  charge: Charge;
};

async function execute(
  { operation, plan, charge, context, needsExecution }: ChargedOperation,
  answers: SharedAnswers,
): Promise<ExecutionResult> {
  const { variables } = charge;
  const input = { rootValue: undefined, contextValue: context, variables };
  const isQuery = operation.operation.operation === OperationTypeNode.QUERY;
  const shared =
    isQuery && needsExecution !== true ? answers.find(plan, variables, context) : undefined;
  if (shared !== undefined) {
    const { data } = shared;
    shared.measuredCost ??= charge.price.measure(variables, data);
    return { data, extensions: await settleMeasured(charge, shared.measuredCost, context) };
  }
  const run = async () => finish(await executePlan(plan, input), plan, context);
  const result = isQuery ? await answers.make({ plan, variables, context }, run) : await run();
  if (isRejectedResult(result)) return result;
  const reported = await settleCost(charge, result, context);
  return { ...result, extensions: { ...result.extensions, ...reported } };
}

async function subscribe(
  { operation, plan, charge, context, variables }: ChargedOperation,
  subscriptions: Subscriptions,
): Promise<RunResult> {
  const args = {
    schema: operation.schema,
    document: operation.document,
    operationName: operation.operationName,
    variableValues: variables,
    contextValue: context,
  };
  return subscriptions.open(args, {
    executeEvent: async (event, contextValue) => {
      const input = { rootValue: event, contextValue, variables: charge.variables };
      const result = finish(await executePlan(plan, input), plan, contextValue);
      // The stream ends before this event, so that a client that continues from its last cursor receives it.
      if (isRejectedResult(result)) throw result.errors[0];
      return result;
    },
    finish: (result) => finish(result, plan, context),
    settleFirst: (result) => settleCost(charge, result, context),
    chargeNext: (payload, isOpen) => chargeEvent(charge, payload, { context, isOpen }),
  });
}

/** Masks the errors and limits the size, before the result is kept, charged for or serialised. */
function finish(
  result: ExecutionResult,
  { schema }: OperationPlan,
  context: Context,
): ExecutionResult {
  if (result.errors === undefined) return limitResult(result);
  const { log, requestId, caller } = context;
  return limitResult(maskResult(result, { log, requestId, caller, schema }));
}

function maskOne(error: unknown, { log, requestId, caller }: Context) {
  return maskError(error, log, { requestId, caller });
}
