import type { Sql } from '../../../database/connect.ts';
import {
  type Failure,
  InsufficientCreditsError,
  QueueFullError,
  restoreFailure,
} from '../../../errors.ts';
import { afterReservation, anyAccount, canPayBesideWaiting } from '../credits/guard.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { noFreeSlot } from '../dispatch/rate-limit.ts';
import { type AccountSlots, afterClaim, chooseAccount, hasSlotFor } from '../dispatch/slots.ts';
import { claimColumns } from '../dispatch/submit.ts';
import type { FreshLipsync } from '../store/insert.ts';
import { nextTurn, type OwnWaiting, readNextOfEachOwner } from '../store/queue.ts';
import { readWaitingCredits } from '../store/reserved-credits.ts';
import {
  type AdmissionRequest,
  type AdmissionState,
  type AdmittedRow,
  countRow,
  identify,
  keyOf,
  readState,
} from './admission-state.ts';
import { findExceededLimit } from './limits.ts';
import type { ResolvedRequest } from './resolve.ts';

export type Decision =
  | { kind: 'claimed'; row: AdmittedRow; slots: AccountSlots }
  | { kind: 'waiting'; row: AdmittedRow }
  | { kind: 'duplicate' }
  | { kind: 'rejected'; failure: Failure };

/** Decides for each request in their order: send now, wait, or reject. The queue's lock must be held. */
export async function decideAll(
  deps: LipsyncDependencies,
  tx: Sql,
  requests: readonly AdmissionRequest[],
): Promise<Decision[]> {
  const state = await readState(deps, tx, requests);
  const decisions: Decision[] = [];
  for (const request of requests) {
    const decision = await decide(deps, state, request);
    if ('row' in decision) countRow(state, decision.row);
    decisions.push(decision);
  }
  return decisions;
}

async function decide(
  deps: LipsyncDependencies,
  state: AdmissionState,
  request: AdmissionRequest,
): Promise<Decision> {
  const { resolved } = request;
  if (resolved.idempotencyKey !== null && state.taken.has(keyOf(resolved))) {
    return { kind: 'duplicate' };
  }
  // The rejection of a concurrent request with the same key, which came while this request was being checked.
  const rejection = state.rejections.get(request) ?? null;
  if (rejection !== null) return reject(restoreFailure(rejection));
  const exceeded = findExceededLimit(deps.limits, state.usages.get(resolved.owner));
  if (exceeded !== null) return reject(exceeded);
  const slots = resolved.isAwaitingFile ? null : await findSlots(state, resolved);
  if (slots !== null) return claim(deps, state, { resolved, slots });
  state.waitingCredits ??=
    state.creditsLeft.size === 0 ? new Map() : await readWaitingCredits(state.tx);
  return enqueue(deps, state, request);
}

/** The account to which the request can be sent now. Null if it must wait. */
async function findSlots(
  state: AdmissionState,
  resolved: ResolvedRequest,
): Promise<AccountSlots | null> {
  const slots = chooseAccount(state.slots, resolved);
  if (slots === null) return null;
  state.nextInQueue ??= await readNextOfEachOwner(state.tx, state.now);
  // A new lip-sync must not overtake a waiting one that could take this slot. A waiting lip-sync that is bound to another
  // account, or allows fewer jobs beside it, blocks nothing.
  const isBlocked = [...state.nextInQueue, ...state.queued].some(
    (waiting) => waiting.offPeak === resolved.offPeak && hasSlotFor(slots, waiting),
  );
  return isBlocked ? null : slots;
}

async function claim(
  deps: LipsyncDependencies,
  state: AdmissionState,
  { resolved, slots }: { resolved: ResolvedRequest; slots: AccountSlots },
): Promise<Decision> {
  const turn = await nextTurn(state.tx);
  const columns = claimColumns(deps, slots, { offPeak: resolved.offPeak, attempts: 0, turn });
  state.slots = afterClaim(state.slots, slots.accountId, resolved);
  const { accountId } = slots;
  state.creditsLeft = afterReservation(state.creditsLeft, accountId, resolved.estimatedCredits);
  const row = { ...resolved, ...columns, loggedPosition: null, ...identify(state) };
  return { kind: 'claimed', row, slots };
}

function enqueue(
  deps: LipsyncDependencies,
  state: AdmissionState,
  { resolved, mayWait }: AdmissionRequest,
): Decision {
  const { owner, isAccountFixed } = resolved;
  if (!canBePaid(state, resolved)) return reject(new InsufficientCreditsError());
  // Whether there is a free slot matters when the file has arrived.
  if (!mayWait && !resolved.isAwaitingFile)
    return reject(noFreeSlot(isAccountFixed ? 'ACCOUNT_BUSY' : 'ALL_ACCOUNTS_BUSY'));
  const { ofAll, ofOwners } = state.waiting;
  const own = ofOwners.get(owner) ?? { count: 0, neverSent: 0 };
  // An owner takes another place only while it has fewer waiting lip-syncs than the queue has free places. So one owner
  // alone fills at most half of the queue.
  const free = deps.limits.queue - ofAll;
  if (own.count >= free) return reject(new QueueFullError(free > 0 ? 'SHARE_OF_OWNER' : 'QUEUE'));
  return { kind: 'waiting', row: addToQueue(state, resolved, own) };
}

/** Counts the waiting lip-sync for the decisions about the next requests. */
function addToQueue(
  state: AdmissionState,
  resolved: ResolvedRequest,
  own: OwnWaiting,
): AdmittedRow {
  const { owner, accountId, isAwaitingFile: isAwaiting } = resolved;
  const { ofAll, ofOwners } = state.waiting;
  const after = { count: own.count + 1, neverSent: own.neverSent + (isAwaiting ? 0 : 1) };
  state.waiting = { ofAll: ofAll + 1, ofOwners: new Map(ofOwners).set(owner, after) };
  if (!isAwaiting) state.queued.push(resolved);
  const target = accountId ?? anyAccount;
  const waitingCost = (state.waitingCredits?.get(target) ?? 0) + (resolved.estimatedCredits ?? 0);
  state.waitingCredits = new Map(state.waitingCredits).set(target, waitingCost);
  const loggedPosition = isAwaiting ? null : after.neverSent;
  return { ...resolved, ...unclaimed, loggedPosition, ...identify(state) };
}

/** The columns of `claimColumns`, because the rows of a group are inserted with the same columns. */
const unclaimed = {
  status: 'QUEUED',
  holdsSlot: false,
  attempts: 0,
  turn: null,
  claimedAt: null,
  leaseUntil: null,
} satisfies Partial<FreshLipsync>;

/** False if waiting is useless, because no account that could do the job has the credits for it. */
function canBePaid(
  { availability, creditsLeft: left, waitingCredits }: AdmissionState,
  job: Pick<ResolvedRequest, 'accountId' | 'estimatedCredits'>,
): boolean {
  const present = availability.filter(({ isPresent }) => isPresent);
  const able =
    job.accountId === null ? present : availability.filter(({ id }) => id === job.accountId);
  if (able.length === 0) return true;
  if (able.every(({ isSpent }) => isSpent)) return false;
  return canPayBesideWaiting(job, {
    left,
    accountIds: able.map(({ id }) => id),
    pool: present.map(({ id }) => id),
    waiting: waitingCredits ?? new Map(),
  });
}

function reject(failure: Failure): Decision {
  return { kind: 'rejected', failure };
}
