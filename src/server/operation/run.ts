import { type ExecutionResult, OperationTypeNode } from 'graphql';
import { copyHints } from '../../graphql/cache-hints.ts';
import type { Context } from '../../graphql/context.ts';
import { executePlan } from '../../graphql/execution/execute.ts';
import { chain, isPromise, type MaybePromise } from '../../graphql/execution/maybe-promise.ts';
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

/** The result itself if nothing had to be waited for. Never throws and never rejects. */
export type Run = (operation: PreparedOperation, input: RunInput) => MaybePromise<RunResult>;

/** Executes prepared operations for all transports: the policies that depend on the caller and the variables are here. */
type RunnerParts = { introspection: Introspection; subscriptions: Subscriptions };

export function createRunner({ introspection, subscriptions }: RunnerParts): Run {
  const answers = new SharedAnswers();
  const start: Run = (operation, input) => {
    const { context } = input;
    const { introspectionErrors } = operation;
    if (introspectionErrors.length > 0 && !mayIntrospect(introspection, context.caller)) {
      return rejectedResult(introspectionErrors);
    }
    const coerced = operation.coerceVariables(input.variables ?? {});
    if ('errors' in coerced) return rejectedResult(coerced.errors);
    const { coerced: variables } = coerced;
    const { plan, price } = operation.planFor(variables);
    return chain(chargeCost({ price, variables }, context), (charge): MaybePromise<RunResult> => {
      if ('errors' in charge) return rejectedResult(charge.errors);
      return operation.operation.operation === OperationTypeNode.SUBSCRIPTION
        ? subscribe({ ...input, operation, plan, charge }, subscriptions)
        : execute({ operation, plan, charge, input }, answers);
    });
  };
  return (operation, input) => {
    const reject = (thrown: unknown) => rejectedResult([maskOne(thrown, input.context)]);
    try {
      const result = start(operation, input);
      return isPromise(result) ? result.catch(reject) : result;
    } catch (thrown) {
      return reject(thrown);
    }
  };
}

type SubscribedOperation = RunInput & {
  operation: PreparedOperation;
  plan: OperationPlan;
  charge: Charge;
};

type ChargedOperation = {
  operation: PreparedOperation;
  plan: OperationPlan;
  charge: Charge;
  input: RunInput;
};

function execute(
  { operation, plan, charge, input: { context, needsExecution = false } }: ChargedOperation,
  answers: SharedAnswers,
): MaybePromise<ExecutionResult> {
  const { variables } = charge;
  const isQuery = operation.operation.operation === OperationTypeNode.QUERY;
  const cached = isQuery ? answers.find(plan, variables, context) : undefined;
  if (cached !== undefined && !needsExecution) {
    const { data } = cached;
    copyHints(context, cached.hints);
    cached.measuredCost ??= charge.price.measure(variables, data);
    return chain(settleMeasured(charge, cached.measuredCost, context), (extensions) => ({
      data,
      extensions,
    }));
  }
  const run = () =>
    chain(executePlan(plan, { rootValue: undefined, contextValue: context, variables }), (result) =>
      finish(result, plan, context),
    );
  // A cached answer that is current needs no replacement: executing the operation again reads the same cached lists.
  const result =
    isQuery && cached === undefined ? answers.make({ plan, variables, context }, run) : run();
  return chain(result, (made): MaybePromise<ExecutionResult> => {
    if (isRejectedResult(made)) return made;
    const { data = null, errors, extensions: own } = made;
    return chain(settleCost(charge, made, context), (cost) => {
      const extensions = own === undefined ? cost : { ...own, ...cost };
      return errors === undefined ? { data, extensions } : { errors, data, extensions };
    });
  });
}

async function subscribe(
  { operation, plan, charge, context, variables }: SubscribedOperation,
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
    settleFirst: async (result) => settleCost(charge, result, context),
    chargeNext: (payload, isOpen) => chargeEvent(charge, payload, { context, isOpen }),
  });
}

/** Masks the errors and limits the size, before the result is cached, charged for or serialised. */
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
