import type { Database } from '../../database/connect.ts';
import { QuotaExceededError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import {
  addCost,
  eraseCostsBefore,
  eraseStreams,
  eraseStreamsBefore,
  readCost,
  takeCostBack,
} from './store.ts';
import { createStreamCounter } from './streams.ts';

export type QuotaOptions = {
  db: Database;
  now: () => Date;
  log: Log;
  /** Null = no limit. Per owner. */
  limits: { costPerMinute: number | null; streams: number | null };
};

export type QuotaService = Awaited<ReturnType<typeof createQuotaService>>;

/**
 * What an owner may spend on operations and hold open, on all doors and instances together. What is spent comes back
 * evenly: a minute after nothing is left, all is there again.
 */
export async function createQuotaService({ db, now, log, limits }: QuotaOptions) {
  const { costPerMinute } = limits;
  const streams = createStreamCounter({ db, now, log, limit: limits.streams });
  // There is no other process: whoever held them is gone.
  if (db.kind === 'embedded') await eraseStreams(db);

  return {
    limits,
    /** @returns what is left then; null = no limit @throws QuotaExceededError */
    async spend(owner: string, cost: number): Promise<number | null> {
      if (costPerMinute === null) return null;
      const charge = { owner, cost, perMinute: costPerMinute, at: now() };
      const spent = await addCost(db, charge);
      if (spent !== null) return costPerMinute - spent;
      const missing = (await readCost(db, charge)) + cost - costPerMinute;
      const seconds = Math.max(1, Math.ceil((missing * 60) / costPerMinute));
      throw new QuotaExceededError(`${costPerMinute} cost a minute`, seconds);
    },
    /** For what came to less than was spent on it. */
    async giveBack(owner: string, cost: number): Promise<void> {
      if (costPerMinute !== null && cost > 0) await takeCostBack(db, owner, cost);
    },
    readSpent: (owner: string) =>
      costPerMinute === null
        ? Promise.resolve(0)
        : readCost(db, { owner, perMinute: costPerMinute, at: now() }),
    holdStream: streams.hold,
    countStreams: streams.count,
    /** Of owners who have asked for nothing since then. */
    async eraseBefore(moment: Date): Promise<void> {
      await eraseCostsBefore(db, moment);
      await eraseStreamsBefore(db, moment);
    },
    stop: streams.stop,
  };
}
