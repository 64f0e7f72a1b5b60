import { randomUUID } from 'node:crypto';
import type { Sql } from '../../../database/connect.ts';
import type { StoredFailure } from '../../../errors.ts';
import type { Origin } from '../../../tracing/tracer.ts';
import type { AccountAvailability } from '../../accounts/service.ts';
import { type CreditsLeft, readCreditsLeft } from '../credits/guard.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { type AccountSlots, countSlots } from '../dispatch/slots.ts';
import type { FreshLipsync } from '../store/insert.ts';
import { findByIdempotencyKeys } from '../store/lipsyncs.ts';
import { type JobNeeds, readLoad, type Waiting } from '../store/queue.ts';
import { findRejectionsSince } from '../store/rejections.ts';
import { readUsages, type Usage } from '../store/usage.ts';
import { hasOwnerLimits } from './limits.ts';
import type { ResolvedRequest } from './resolve.ts';

export type AdmissionRequest = {
  resolved: ResolvedRequest & Origin;
  /** The number of the key's last rejection when the request was first checked. */
  lastRejection: number;
  mayWait: boolean;
};

/** A row to insert, and the video and the imports that it uses, which have rows of their own. */
export type AdmittedRow = FreshLipsync & Pick<ResolvedRequest, 'sourceVideo' | 'imports'>;

/** What the decisions depend on. It is read under the queue's lock, and each decision changes it for the next. */
export type AdmissionState = {
  tx: Sql;
  now: Date;
  availability: readonly AccountAvailability[];
  slots: readonly AccountSlots[];
  usages: Map<string, Usage>;
  /** Lip-syncs by owner and key. */
  taken: Set<string>;
  rejections: Map<AdmissionRequest, StoredFailure | null>;
  waiting: Waiting;
  creditsLeft: CreditsLeft;
  /** As `readWaitingCredits` returns it. Read when the first request needs it. */
  waitingCredits: ReadonlyMap<string, number> | null;
  /** Read when the first request needs it. */
  nextInQueue: JobNeeds[] | null;
  /** The rows that this group has added to the queue. */
  queued: JobNeeds[];
  /** In ascending order, because lists order rows with equal times by id. */
  ids: string[];
};

/** The queue's lock must be held. */
export async function readState(
  deps: LipsyncDependencies,
  tx: Sql,
  requests: readonly AdmissionRequest[],
): Promise<AdmissionState> {
  const now = deps.now();
  const keyed = requests.filter(({ resolved }) => resolved.idempotencyKey !== null);
  const pairs = keyed.map(({ resolved, lastRejection }) => ({ ...resolved, lastRejection }));
  const owners = requests.map(({ resolved }) => resolved.owner);
  // Sent together: each depends on the lock alone.
  const [earlier, rejections, usages, availability, { held, waiting }] = await Promise.all([
    keyed.length === 0 ? [] : findByIdempotencyKeys(tx, pairs),
    keyed.length === 0 ? [] : findRejectionsSince(tx, pairs),
    hasOwnerLimits(deps.limits)
      ? readUsages(tx, owners, { now, perDay: deps.limits.perDay })
      : new Map<string, Usage>(),
    deps.accounts.readAvailability(tx, now),
    readLoad(tx, owners),
  ]);
  const hasCosts = requests.some(({ resolved }) => resolved.estimatedCredits !== null);
  const creditsLeft = hasCosts ? await readCreditsLeft(tx, availability) : new Map();
  return {
    ...{ tx, now, availability, usages, waiting, nextInQueue: null, queued: [] },
    ...{ creditsLeft, waitingCredits: null },
    // A process that stops sends nothing any more.
    slots: deps.stopping.aborted
      ? []
      : await countSlots(tx, { availability, held, creditsLeft, now }),
    taken: new Set(earlier.map(keyOf)),
    rejections: new Map(keyed.map((request, at) => [request, rejections[at] ?? null])),
    ids: requests.map(() => randomUUID()).sort(),
  };
}

export function identify(state: AdmissionState): Pick<FreshLipsync, 'id' | 'createdAt'> {
  return { id: state.ids.shift() ?? randomUUID(), createdAt: state.now };
}

/** Counts the row for the decisions about the next requests. */
export function countRow(state: AdmissionState, row: FreshLipsync): void {
  const usage = state.usages.get(row.owner);
  if (usage !== undefined) {
    const { inFlight, today } = usage;
    state.usages.set(row.owner, { ...usage, inFlight: inFlight + 1, today: today + 1 });
  }
  state.taken.add(keyOf(row));
}

export function keyOf({
  owner,
  idempotencyKey,
}: Pick<FreshLipsync, 'owner' | 'idempotencyKey'>): string {
  return JSON.stringify([owner, idempotencyKey]);
}
