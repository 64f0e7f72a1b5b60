import { createHash } from 'node:crypto';
import {
  type Failure,
  IdempotencyConflictError,
  NotFoundError,
  OutcomeUnknownError,
  restoreFailure,
} from '../../../errors.ts';
import type { Engine } from '../dependencies.ts';
import { isBeingAnswered, type Settlement } from '../dispatch/settle.ts';
import { startSubmission } from '../dispatch/submit.ts';
import type { Watch } from '../progress/log-watcher.ts';
import { findLipsync, type Lipsync, selectLipsyncs } from '../store/lipsyncs.ts';
import { findLastRefusal, findRefusal, findRefusalSince } from '../store/refusals.ts';
import { findExceeded } from '../store/usage.ts';
import { admit, type Draft } from './admit.ts';
import { type CreateInput, checkExpiry, checkShape } from './input.ts';
import { resolve } from './resolve.ts';

export type Creation = { lipsync: Lipsync; replayed: boolean };

export type CreateRequest = {
  owner: string;
  canSeeAll: boolean;
  input: CreateInput;
  askedAt: Date;
  /** When it was first checked, and stays so, however often it has to look: a refusal since then answers it too. */
  lastRefusal?: number;
};

/** A request that may have its place, or the lip-sync that an earlier one with its key has made. */
export type Checked = { request: Required<CreateRequest>; fingerprint: string } & (
  | { draft: Draft }
  | { earlier: Lipsync }
);

/** `answer` tells what the caller is told; it may wait for the upstream. `isSent`: a POST of this request is under way. */
export type Placed = { isSent: boolean; answer: () => Promise<Creation> };

export async function createLipsync(
  engine: Engine,
  watch: Watch,
  request: Omit<CreateRequest, 'askedAt' | 'lastRefusal'>,
): Promise<Creation> {
  const checked = await check(engine, { ...request, askedAt: engine.now() });
  const { answer } = await place(engine, watch, checked);
  return answer();
}

/** All that can be said of a request before it has its place. Several may be checked at once. Throws failures. */
export async function check(engine: Engine, asked: CreateRequest): Promise<Checked> {
  const { owner, input, askedAt } = asked;
  checkShape(input, engine.webhooks);
  const fingerprint = fingerprintOf(input);
  const { idempotencyKey } = input;
  const lastRefusal =
    asked.lastRefusal ?? (await findLastRefusal(engine.db, { owner, idempotencyKey }));
  const request = { ...asked, lastRefusal };
  // Before the key: what used up the limit may be the twin that had the same key.
  const exceeded = await findExceeded(engine, engine.db, owner);
  const earlier = await findByKey(engine, owner, idempotencyKey);
  if (earlier !== null) return { request, fingerprint, earlier };
  if (exceeded !== null) {
    const twin = { owner, idempotencyKey, fingerprint };
    const refusal = await findRefusalSince(engine.db, twin, lastRefusal);
    throw refusal === null ? exceeded : restoreFailure(refusal);
  }
  checkExpiry(input, askedAt);
  return { request, fingerprint, draft: await resolve(engine, { ...request, fingerprint }) };
}

/** Sends it where there is room, or lets it wait: the order of the calls is that of the queue. Throws failures. */
export async function place(engine: Engine, watch: Watch, checked: Checked): Promise<Placed> {
  const { request, fingerprint } = checked;
  if ('earlier' in checked) {
    const { earlier: lipsync } = checked;
    return { isSent: false, answer: () => replay(engine, watch, { lipsync, fingerprint }) };
  }
  const { owner, input, lastRefusal } = request;
  const { mayWait } = input;
  const admission = await admit(engine, checked.draft, { lastRefusal, mayWait });
  if (admission.kind === 'waiting') {
    const { lipsync } = admission;
    return { isSent: false, answer: async () => ({ lipsync, replayed: false }) };
  }
  if (admission.kind === 'taken') {
    const lipsync = await findByKey(engine, owner, input.idempotencyKey);
    // Refused between the two looks: asking again finds its refusal.
    if (lipsync === null) return place(engine, watch, await check(engine, request));
    return { isSent: false, answer: () => replay(engine, watch, { lipsync, fingerprint }) };
  }
  const { lipsync, room } = admission;
  const submission = startSubmission(engine, lipsync, { room, mayWait });
  return {
    isSent: true,
    answer: async () => answer(engine, { lipsync, settlement: await submission }),
  };
}

async function answer(
  engine: Engine,
  { lipsync, settlement }: { lipsync: Lipsync; settlement: Settlement },
): Promise<Creation> {
  if (settlement.kind === 'refused') throw settlement.failure;
  if (settlement.kind === 'unknown') throw new OutcomeUnknownError(lipsync.id);
  return { lipsync: (await findLipsync(engine.db, lipsync.id)) ?? lipsync, replayed: false };
}

async function findByKey(
  engine: Engine,
  owner: string,
  idempotencyKey: string | null,
): Promise<Lipsync | null> {
  if (idempotencyKey === null) return null;
  const [found] = await selectLipsyncs(engine.db, 'where owner = $1 and idempotency_key = $2', [
    owner,
    idempotencyKey,
  ]);
  return found ?? null;
}

/** The answer that the first request with this key got, or gets: it is waited for. */
async function replay(
  engine: Engine,
  watch: Watch,
  { lipsync, fingerprint }: { lipsync: Lipsync; fingerprint: string },
): Promise<Creation> {
  if (lipsync.fingerprint !== fingerprint) throw new IdempotencyConflictError();
  let current: Lipsync | null = lipsync;
  while (current !== null && isBeingAnswered(current) && current.outcomeUnknownAt === null) {
    await watch.nextChange(lipsync.id);
    current = await findLipsync(engine.db, lipsync.id);
  }
  if (current === null) throw await refusalOf(engine, lipsync.id);
  if (isBeingAnswered(current)) throw new OutcomeUnknownError(current.id);
  return { lipsync: current, replayed: true };
}

async function refusalOf(engine: Engine, id: string): Promise<Failure> {
  const refusal = await findRefusal(engine.db, id);
  return refusal === null ? new NotFoundError('The lip-sync') : restoreFailure(refusal);
}

function fingerprintOf({ idempotencyKey: _, ...input }: CreateInput): string {
  return createHash('sha256').update(JSON.stringify(input)).digest('base64url');
}
