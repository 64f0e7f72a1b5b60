import type { Database } from '../../database/connect.ts';
import { QuotaExceededError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import {
  addCost,
  deleteAllStreamLeases,
  deleteCostsBefore,
  deleteStreamLeasesBefore,
  readCost,
  refundCost,
} from './store.ts';
import { createStreamCounter } from './streams.ts';

export type QuotaOptions = {
  db: Database;
  now: () => Date;
  log: Log;
  /** Per owner; null = no limit. */
  limits: { costPerMinute: number | null; streams: number | null };
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

  return {
    limits,
    /** @returns the remaining budget; null = no limit @throws QuotaExceededError */
    async spend(owner: string, cost: number): Promise<number | null> {
      if (costPerMinute === null) return null;
      const charge = { owner, cost, perMinute: costPerMinute, at: now() };
      const spent = await addCost(db, charge);
      if (spent !== null) return costPerMinute - spent;
      const missing = (await readCost(db, charge)) + cost - costPerMinute;
      const seconds = Math.max(1, Math.ceil((missing * 60) / costPerMinute));
      throw new QuotaExceededError(`${costPerMinute} cost per minute`, seconds);
    },
    /** Returns the part of the charge that an operation did not use. */
    async refund(owner: string, cost: number): Promise<void> {
      if (costPerMinute !== null && cost > 0) await refundCost(db, owner, cost);
    },
    readSpentCost: (owner: string) =>
      costPerMinute === null
        ? Promise.resolve(0)
        : readCost(db, { owner, perMinute: costPerMinute, at: now() }),
    holdStream: streams.hold,
    countStreams: streams.count,
    /** Deletes the rows of owners without a request since then. */
    async eraseBefore(moment: Date): Promise<void> {
      await deleteCostsBefore(db, moment);
      await deleteStreamLeasesBefore(db, moment);
    },
    stop: streams.stop,
  };
}
