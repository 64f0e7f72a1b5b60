import { GroupedWork } from '../../../database/grouped.ts';
import type { QuotaExceededError } from '../../../errors.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { findByIdempotencyKeys, type Lipsync } from '../store/lipsyncs.ts';
import { readLastRejections } from '../store/rejections.ts';
import { readUsages } from '../store/usage.ts';
import { findExceededLimit, hasOwnerLimits } from './limits.ts';

type Asked = { owner: string; idempotencyKey: string | null };

/** What requests before this one led to. */
export type Earlier = {
  /** The lip-sync of an earlier request with the same idempotency key. */
  lipsync: Lipsync | null;
  /** The number of the key's last rejection; 0 if there is none. */
  lastRejection: number;
  /** The limit that the owner's lip-syncs have used up. */
  exceeded: QuotaExceededError | null;
};

export type FindEarlier = (asked: Asked) => Promise<Earlier>;

/** Requests that arrive at the same time share the reads. */
export function createEarlierSearch(deps: LipsyncDependencies): FindEarlier {
  const hasLimits = hasOwnerLimits(deps.limits);
  const groups = new GroupedWork((asked: readonly Asked[]) => findEarlier(deps, asked));
  return async (asked) =>
    asked.idempotencyKey === null && !hasLimits
      ? { lipsync: null, lastRejection: 0, exceeded: null }
      : groups.run(asked);
}

async function findEarlier(
  { db, limits, now }: LipsyncDependencies,
  asked: readonly Asked[],
): Promise<Earlier[]> {
  const keyed = asked.filter(({ idempotencyKey }) => idempotencyKey !== null);
  const numbers = keyed.length === 0 ? [] : await readLastRejections(db, keyed);
  const owners = asked.map(({ owner }) => owner);
  // Before the lookup by key: a concurrent request with the same key may have used up the limit, and is found then.
  const usages = hasOwnerLimits(limits)
    ? await readUsages(db, owners, { now: now(), perDay: limits.perDay })
    : new Map();
  const found = keyed.length === 0 ? [] : await findByIdempotencyKeys(db, keyed);
  return asked.map(({ owner, idempotencyKey }) => {
    const at = keyed.findIndex((it) => it.owner === owner && it.idempotencyKey === idempotencyKey);
    const lipsync = found.find(
      (it) =>
        it.owner === owner && it.idempotencyKey === idempotencyKey && it.idempotencyKey !== null,
    );
    return {
      lipsync: lipsync ?? null,
      lastRejection: numbers[at] ?? 0,
      exceeded: findExceededLimit(limits, usages.get(owner)),
    };
  });
}
