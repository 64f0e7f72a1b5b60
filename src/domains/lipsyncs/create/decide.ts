import { randomUUID } from 'node:crypto';
import type { Sql } from '../../../database/connect.ts';
import {
  type Failure,
  InsufficientCreditsError,
  QueueFullError,
  restoreFailure,
  type StoredFailure,
} from '../../../errors.ts';
import type { AccountAvailability } from '../../accounts/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { noFreeSlot } from '../dispatch/rate-limit.ts';
import {
  type AccountSlots,
  afterClaim,
  chooseAccount,
  countSlots,
  hasSlotFor,
} from '../dispatch/slots.ts';
import { claimColumns } from '../dispatch/submit.ts';
import type { FreshLipsync } from '../store/insert.ts';
import { findByIdempotencyKeys } from '../store/lipsyncs.ts';
import {
  type JobNeeds,
  nextTurn,
  readLoad,
  readNextOfEachOwner,
  type Waiting,
} from '../store/queue.ts';
import { findRefusalsSince } from '../store/refusals.ts';
import { readUsages, type Usage } from '../store/usage.ts';
import { findExceededLimit, hasOwnerLimits } from './limits.ts';
import type { ResolvedRequest } from './resolve.ts';

export type AdmissionRequest = {
  resolved: ResolvedRequest;
  /** The number of the key's last refusal when the request was first checked. */
  lastRefusal: number;
  mayWait: boolean;
};

/** A row to insert, and the video and the imports that it uses, which have rows of their own. */
export type AdmittedRow = FreshLipsync & Pick<ResolvedRequest, 'sourceVideo' | 'imports'>;

export type Decision =
  | { kind: 'claimed'; row: AdmittedRow; slots: AccountSlots }
  | { kind: 'waiting'; row: AdmittedRow }
  | { kind: 'duplicate' }
  | { kind: 'refused'; failure: Failure };

/** What the decisions depend on. It is read under the queue's lock, and each decision changes it for the next. */
type State = {
  tx: Sql;
  now: Date;
  availability: readonly AccountAvailability[];
  slots: readonly AccountSlots[];
  usages: Map<string, Usage>;
  /** Lip-syncs by owner and key. */
  taken: Set<string>;
  refusals: Map<AdmissionRequest, StoredFailure | null>;
  waiting: Waiting;
  /** Read when the first request needs it. */
  nextInQueue: JobNeeds[] | null;
  /** The rows that this group has added to the queue. */
  queued: JobNeeds[];
  /** In ascending order, which a list shows where the times are equal. */
  ids: string[];
};

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
    if ('row' in decision) count(state, decision.row);
    decisions.push(decision);
  }
  return decisions;
}

async function readState(
  deps: LipsyncDependencies,
  tx: Sql,
  requests: readonly AdmissionRequest[],
): Promise<State> {
  const now = deps.now();
  const keyed = requests.filter(({ resolved }) => resolved.idempotencyKey !== null);
  const pairs = keyed.map(({ resolved, lastRefusal }) => ({ ...resolved, lastRefusal }));
  const earlier = keyed.length === 0 ? [] : await findByIdempotencyKeys(tx, pairs);
  const refusals = keyed.length === 0 ? [] : await findRefusalsSince(tx, pairs);
  const owners = requests.map(({ resolved }) => resolved.owner);
  const usages = hasOwnerLimits(deps.limits)
    ? await readUsages(tx, owners, { now, perDay: deps.limits.perDay })
    : new Map();
  const availability = await deps.accounts.readAvailability(tx, now);
  const { held, waiting } = await readLoad(tx, owners);
  return {
    ...{ tx, now, availability, usages, waiting, nextInQueue: null, queued: [] },
    // A process that stops sends nothing any more.
    slots: deps.stopping.aborted ? [] : await countSlots(tx, { availability, held, now }),
    taken: new Set(earlier.map(keyOf)),
    refusals: new Map(keyed.map((request, at) => [request, refusals[at] ?? null])),
    ids: requests.map(() => randomUUID()).sort(),
  };
}

async function decide(
  deps: LipsyncDependencies,
  state: State,
  request: AdmissionRequest,
): Promise<Decision> {
  const { resolved } = request;
  if (resolved.idempotencyKey !== null && state.taken.has(keyOf(resolved))) {
    return { kind: 'duplicate' };
  }
  // Of a concurrent request with the same key, while this one was being checked.
  const refusal = state.refusals.get(request) ?? null;
  if (refusal !== null) return refuse(restoreFailure(refusal));
  const exceeded = findExceededLimit(deps.limits, state.usages.get(resolved.owner));
  if (exceeded !== null) return refuse(exceeded);
  const slots = resolved.isAwaitingFile ? null : await findSlots(state, resolved);
  return slots === null ? enqueue(deps, state, request) : claim(deps, state, { resolved, slots });
}

/** The account to which the request can be sent now. Null if it must wait. */
async function findSlots(state: State, resolved: ResolvedRequest): Promise<AccountSlots | null> {
  const slots = chooseAccount(state.slots, resolved);
  if (slots === null) return null;
  state.nextInQueue ??= await readNextOfEachOwner(state.tx, state.now);
  // A new one must not overtake a waiting one that could take this slot. Those that are bound to another account, or allow
  // fewer jobs beside them, block nothing.
  const isBlocked = [...state.nextInQueue, ...state.queued].some(
    (waiting) => waiting.offPeak === resolved.offPeak && hasSlotFor(slots, waiting),
  );
  return isBlocked ? null : slots;
}

async function claim(
  deps: LipsyncDependencies,
  state: State,
  { resolved, slots }: { resolved: ResolvedRequest; slots: AccountSlots },
): Promise<Decision> {
  const turn = await nextTurn(state.tx);
  const columns = claimColumns(deps, slots, { offPeak: resolved.offPeak, attempts: 0, turn });
  state.slots = afterClaim(state.slots, slots.accountId, { offPeak: resolved.offPeak });
  const row = { ...resolved, ...columns, loggedPosition: null, ...identify(state) };
  return { kind: 'claimed', row, slots };
}

function enqueue(
  deps: LipsyncDependencies,
  state: State,
  { resolved, mayWait }: AdmissionRequest,
): Decision {
  const { owner, accountId, isAccountFixed } = resolved;
  if (isSpentEverywhere(state.availability, accountId))
    return refuse(new InsufficientCreditsError());
  // Whether there is a free slot matters when the file has arrived.
  const isAwaiting = resolved.isAwaitingFile;
  if (!mayWait && !isAwaiting)
    return refuse(noFreeSlot(isAccountFixed ? 'ACCOUNT_BUSY' : 'ALL_ACCOUNTS_BUSY'));
  const { ofAll, ofOwners } = state.waiting;
  const own = ofOwners.get(owner) ?? { count: 0, neverSent: 0 };
  // An owner takes another place only while it has fewer waiting lip-syncs than the queue has free places. So one owner
  // alone fills at most half of the queue.
  const free = deps.limits.queue - ofAll;
  if (own.count >= free) return refuse(new QueueFullError(free > 0 ? 'SHARE_OF_OWNER' : 'QUEUE'));
  const after = { count: own.count + 1, neverSent: own.neverSent + (isAwaiting ? 0 : 1) };
  state.waiting = { ofAll: ofAll + 1, ofOwners: new Map(ofOwners).set(owner, after) };
  if (!isAwaiting) state.queued.push(resolved);
  const loggedPosition = isAwaiting ? null : after.neverSent;
  const row = { ...resolved, ...unclaimed, loggedPosition, ...identify(state) };
  return { kind: 'waiting', row };
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

function identify(state: State): Pick<FreshLipsync, 'id' | 'createdAt'> {
  return { id: state.ids.shift() ?? randomUUID(), createdAt: state.now };
}

function count(state: State, row: FreshLipsync): void {
  const usage = state.usages.get(row.owner);
  if (usage !== undefined) {
    const { inFlight, today } = usage;
    state.usages.set(row.owner, { ...usage, inFlight: inFlight + 1, today: today + 1 });
  }
  state.taken.add(keyOf(row));
}

/** Whether waiting is useless because every account that could do the job is out of credits. Null = any account. */
function isSpentEverywhere(
  availability: readonly AccountAvailability[],
  accountId: string | null,
): boolean {
  const able = availability.filter(({ id, isPresent }) =>
    accountId === null ? isPresent : id === accountId,
  );
  return able.length > 0 && able.every(({ isSpent }) => isSpent);
}

function keyOf({ owner, idempotencyKey }: Pick<FreshLipsync, 'owner' | 'idempotencyKey'>): string {
  return JSON.stringify([owner, idempotencyKey]);
}

function refuse(failure: Failure): Decision {
  return { kind: 'refused', failure };
}
