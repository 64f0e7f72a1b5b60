import type { Database } from '../../database/connect.ts';
import { QuotaExceededError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { type Allowance, toAllowance } from './allowance.ts';
import { EventCharges } from './event-charges.ts';
import {
  addCost,
  deleteAllStreamLeases,
  deleteCostsBefore,
  deleteRowsOf,
  deleteStreamLeasesBefore,
  readCost,
  refundCost,
} from './store.ts';
import { createStreamCounter } from './streams.ts';

export { type Allowance, toAllowance };

export type QuotaOptions = {
  db: Database;
  now: () => Date;
  log: Log;
  /** Per owner; null = no limit. */
  limits: { costPerMinute: number | null; streams: number | null };
};

/** Cost that was taken from an owner's budget. */
export type Spending = {
  /** What was left of the owner's budget afterwards. */
  remaining: number;
  /** Returns the part of the cost that the operation did not use. */
  refund: (cost: number) => Promise<void>;
};

export type QuotaService = Awaited<ReturnType<typeof createQuotaService>>;

/**
 * The limits of an owner on operation cost and on open streams, counted over all transports and instances. The cost budget
 * refills evenly: an empty budget is full again after a minute.
 */
export async function createQuotaService({ db, now, log, limits }: QuotaOptions) {
  const { costPerMinute } = limits;
  const streams = createStreamCounter({ db, now, log, limit: limits.streams });
  // The embedded database has no second process, so these leases are left over from one that died.
  if (db.kind === 'embedded') await deleteAllStreamLeases(db);

  /** @returns null at once = no limit @throws QuotaExceededError */
  function spend(owner: string, cost: number): Promise<Spending> | null {
    return costPerMinute === null ? null : spendOf({ owner, cost, costPerMinute });
  }

  async function spendOf(asked: {
    owner: string;
    cost: number;
    costPerMinute: number;
  }): Promise<Spending> {
    const { owner, cost, costPerMinute } = asked;
    const charge = { owner, cost, perMinute: costPerMinute, at: now() };
    const spent = await addCost(db, charge);
    if (spent === null) {
      const missing = (await readCost(db, charge)) + cost - costPerMinute;
      const seconds = Math.max(1, Math.ceil((missing * 60) / costPerMinute));
      throw new QuotaExceededError(`${costPerMinute} cost per minute`, seconds);
    }
    return {
      remaining: costPerMinute - spent,
      async refund(unused) {
        const refilled = ((now().getTime() - charge.at.getTime()) / 60_000) * costPerMinute;
        // The refill has already returned the rest. A subscription can wait for its first event for hours, and an owner
        // could save up refunds with many of them and spend a budget several times in one minute.
        const refundable = Math.min(unused, spent - Math.max(0, refilled));
        if (refundable > 0) await refundCost(db, owner, refundable);
      },
    };
  }

  const events = costPerMinute === null ? null : new EventCharges({ spend, costPerMinute });

  return {
    limits,
    spend,
    /** Takes the cost of an event of an open stream. @returns resolves when it may be sent; undefined = now, without a limit */
    chargeEvent: (owner: string, cost: number, isOpen: () => boolean): Promise<void> | undefined =>
      events?.charge(owner, cost, isOpen),
    async readCostAllowance(owner: string): Promise<Allowance | null> {
      if (costPerMinute === null) return null;
      const at = now();
      const spent = await readCost(db, { owner, perMinute: costPerMinute, at });
      const fullAt = new Date(at.getTime() + Math.ceil((spent * 60_000) / costPerMinute));
      return toAllowance(costPerMinute, spent, fullAt);
    },
    readStreamAllowance: async (owner: string): Promise<Allowance | null> =>
      limits.streams === null ? null : toAllowance(limits.streams, await streams.count(owner)),
    holdStream: streams.hold,
    /** Deletes the rows of owners without a request since then. */
    async eraseBefore(moment: Date): Promise<void> {
      await deleteCostsBefore(db, moment);
      await deleteStreamLeasesBefore(db, moment);
    },
    /** @returns how many rows */
    eraseOf: deleteRowsOf,
    stop: streams.stop,
  };
}
