import { randomUUID } from 'node:crypto';
import type { Sql } from '../../../database/connect.ts';
import {
  InsufficientCreditsError,
  QueueFullError,
  QuotaExceededError,
  restoreFailure,
} from '../../../errors.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { noFreeSlot } from '../dispatch/rate-limit.ts';
import {
  type AccountSlots,
  chooseAccount,
  hasWaitingCandidate,
  readAccountSlots,
} from '../dispatch/slots.ts';
import { claimColumns } from '../dispatch/submit.ts';
import { appendChangeEvent, changeContext } from '../progress/transition.ts';
import { findByIdempotencyKey, insertLipsync, type Lipsync } from '../store/lipsyncs.ts';
import { countWaiting, lockQueue, nextTurn, notifyQueue } from '../store/queue.ts';
import { findRefusalSince } from '../store/refusals.ts';
import { readUsage } from '../store/usage.ts';
import { trace } from '../trace.ts';
import type { ResolvedRequest } from './resolve.ts';

export type Admission =
  | { kind: 'claimed'; lipsync: Lipsync; slots: AccountSlots }
  | { kind: 'waiting'; lipsync: Lipsync }
  /** A request with the same idempotency key was admitted before. */
  | { kind: 'duplicate' };

/**
 * Decides under the queue's lock whether a request is sent now, waits or is rejected, and inserts its row. The lock keeps
 * limits exact for any number of concurrent requests and instances. Throws failures.
 */
export async function admit(
  deps: LipsyncDependencies,
  request: ResolvedRequest,
  options: { lastRefusal: number; mayWait: boolean },
): Promise<Admission> {
  const admission = await deps.db.transaction<Admission>(async (tx) => {
    await lockQueue(tx);
    if (await isDuplicate(tx, request, options.lastRefusal)) return { kind: 'duplicate' };
    const exceeded = await findExceededLimit(deps, tx, request.owner);
    if (exceeded !== null) throw exceeded;
    const slots = await findSlots(deps, tx, request);
    if (slots === null) return enqueue(deps, tx, { request, mayWait: options.mayWait });
    const turn = await nextTurn(tx);
    const claim = claimColumns(deps, slots, { offPeak: request.offPeak, attempts: 0, turn });
    return { kind: 'claimed', lipsync: await insert(deps, tx, { ...request, ...claim }), slots };
  });
  if (admission.kind !== 'duplicate') trace('row-written', { lipsyncId: admission.lipsync.id });
  return admission;
}

/** The limit that the owner has used up, if any. Exact only under the queue's lock. */
export async function findExceededLimit(
  deps: LipsyncDependencies,
  sql: Sql,
  owner: string,
): Promise<QuotaExceededError | null> {
  const { perDay, inFlight } = deps.limits;
  if (perDay === null && inFlight === null) return null;
  const usage = await readUsage(sql, owner, { now: deps.now(), perDay });
  if (inFlight !== null && usage.inFlight >= inFlight) {
    return new QuotaExceededError(`${inFlight} lip-syncs at a time`, 30);
  }
  if (perDay !== null && usage.today >= perDay) {
    return new QuotaExceededError(`${perDay} lip-syncs a day`, usage.secondsUntilNext);
  }
  return null;
}

/** @throws the failure with which a concurrent request with the same key was rejected while this one was being checked */
async function isDuplicate(
  tx: Sql,
  request: ResolvedRequest,
  lastRefusal: number,
): Promise<boolean> {
  if (request.idempotencyKey === null) return false;
  if ((await findByIdempotencyKey(tx, request)) !== null) return true;
  const refusal = await findRefusalSince(tx, request, lastRefusal);
  if (refusal !== null) throw restoreFailure(refusal);
  return false;
}

/** The account to which the request can be sent now. Null if it must wait. */
async function findSlots(
  deps: LipsyncDependencies,
  tx: Sql,
  request: ResolvedRequest,
): Promise<AccountSlots | null> {
  if (deps.stopping.aborted) return null;
  const now = deps.now();
  const slots = chooseAccount(await readAccountSlots(deps, tx, now), request);
  if (slots === null) return null;
  const mustWait = await hasWaitingCandidate(tx, slots, { offPeak: request.offPeak, now });
  return mustWait ? null : slots;
}

async function enqueue(
  deps: LipsyncDependencies,
  tx: Sql,
  { request, mayWait }: { request: ResolvedRequest; mayWait: boolean },
): Promise<Admission> {
  if (await deps.accounts.isSpentEverywhere(tx, request.accountId)) {
    throw new InsufficientCreditsError();
  }
  if (!mayWait) throw noFreeSlot(request.isAccountFixed ? 'ACCOUNT_BUSY' : 'ALL_ACCOUNTS_BUSY');
  await checkQueueShare(deps, tx, request.owner);
  await notifyQueue(tx);
  return { kind: 'waiting', lipsync: await insert(deps, tx, { ...request, status: 'QUEUED' }) };
}

/**
 * An owner takes another place only while it has fewer waiting lip-syncs than the queue has free places. So one owner alone
 * fills at most half of the queue. Exact only under the queue's lock.
 *
 * @throws QueueFullError
 */
async function checkQueueShare(deps: LipsyncDependencies, tx: Sql, owner: string): Promise<void> {
  const { ofAll, ofOwner } = await countWaiting(tx, owner);
  if (ofOwner >= deps.limits.queue - ofAll) throw new QueueFullError();
}

/** Inserts the row and its first event. */
async function insert(
  deps: LipsyncDependencies,
  tx: Sql,
  row: ResolvedRequest & Pick<Lipsync, 'status'>,
): Promise<Lipsync> {
  const id = randomUUID();
  trace('row-writing', { lipsyncId: id });
  const { sourceVideo, ...columns } = row;
  if (sourceVideo !== null) {
    await deps.videos.keep(tx, [{ owner: row.owner, video: sourceVideo }]);
  }
  const lipsync = await insertLipsync(tx, { ...columns, id, createdAt: deps.now() });
  return appendChangeEvent(tx, lipsync, changeContext(deps, 'GATEWAY'));
}
