import type { ExecutionResult, GraphQLError } from 'graphql';
import type { Spending } from '../../domains/quotas/service.ts';
import { QuotaExceededError } from '../../errors.ts';
import type { Context } from '../../graphql/context.ts';
import type { OperationPrice } from '../../graphql/cost.ts';
import { toGraphQLError } from '../../graphql/errors.ts';
import type { MaybePromise } from '../../graphql/execution/maybe-promise.ts';
import type { Variables } from '../../graphql/execution/plan.ts';
import type { Payload } from '../subscriptions/payload.ts';
import { requestError } from './request-error.ts';

/**
 * The maximum cost of one operation. A page of 100 lip-syncs with all their fields costs 700. With 100 events for each,
 * more than a real lip-sync has, it costs over 10,000. No normal query of a client costs more.
 */
const maxCost = 12_000;

/** The minimum cost of an operation, also of one that selects only fields without a cost. */
const minCost = 1;

export type Charge = {
  price: OperationPrice;
  variables: Variables;
  requested: number;
  /** Null: no limit. */
  spending: Spending | null;
};

/**
 * Limits the cost of an operation and takes its estimate from the owner's budget per minute, before it is executed. The
 * estimate of a subscription includes its first event; `chargeEvent` takes the cost of each further one. If the client
 * disconnects before `settleCost`, nothing is refunded.
 */
export function chargeCost(
  { price, variables }: Pick<Charge, 'price' | 'variables'>,
  { caller: { owner }, services }: Context,
): MaybePromise<Charge | RejectedCharge> {
  const requested = Math.max(minCost, price.estimate(variables));
  const limit = Math.min(maxCost, services.quotas.limits.costPerMinute ?? maxCost);
  if (requested > limit) return { errors: [costTooHighError(requested, limit)] };
  const spent = services.quotas.spend(owner, requested);
  const charge = (spending: Spending | null) => ({ price, variables, requested, spending });
  return spent === null ? charge(null) : spent.then(charge, rejectCharge);
}

type RejectedCharge = { errors: readonly GraphQLError[] };

function rejectCharge(thrown: unknown): RejectedCharge {
  if (thrown instanceof QuotaExceededError) return { errors: [toGraphQLError(thrown)] };
  throw thrown;
}

function costTooHighError(requested: number, limit: number): GraphQLError {
  const cost = Number.isFinite(requested) ? `${requested}` : 'more than can be counted';
  return requestError(
    'COST_TOO_HIGH',
    `This operation costs ${cost}; it may cost at most ${limit}.`,
  );
}

/**
 * Refunds the items that a list did not have. Nothing of a mutation is refunded.
 *
 * @returns the extension of the result that reports the requested cost, the actual cost and the remaining budget. A
 *   subscription reports its cost with the first event
 */
export function settleCost(
  charge: Charge,
  { data }: ExecutionResult,
  context: Context,
): MaybePromise<ReportedCost> {
  return settleMeasured(charge, charge.price.measure(charge.variables, data), context);
}

/** As `settleCost`, for an answer whose cost was measured when it was made. */
export function settleMeasured(
  { requested, spending }: Charge,
  measured: number,
  context: Context,
): MaybePromise<ReportedCost> {
  const actual = Math.min(requested, Math.max(minCost, measured));
  if (spending === null) return { cost: { requested, actual, remaining: null } };
  const remaining = Math.floor(spending.remaining + requested - actual);
  return spending
    .refund(requested - actual)
    .catch((error: unknown) => {
      context.log.warn({ err: error }, 'the refund of unused cost failed');
    })
    .then(() => ({ cost: { requested, actual, remaining } }));
}

/** The extension of a result. */
type ReportedCost = { cost: { requested: number; actual: number; remaining: number | null } };

/**
 * Takes the cost of an event after the first.
 *
 * @returns resolves when the event may be sent; undefined = now
 */
export function chargeEvent(
  { price, variables }: Charge,
  payload: Payload,
  { context, isOpen }: { context: Context; isOpen: () => boolean },
): Promise<void> | undefined {
  const { caller, services } = context;
  if (services.quotas.limits.costPerMinute === null) return undefined;
  // Measured once for all subscribers that receive it: their operations have the same price.
  payload.cost ??= Math.max(minCost, price.measureEvent(variables, payload.result.data));
  return services.quotas.chargeEvent(caller.owner, payload.cost, isOpen);
}
