import { createHash } from 'node:crypto';
import {
  type Failure,
  IdempotencyConflictError,
  NotFoundError,
  OutcomeUnknownError,
  restoreFailure,
} from '../../errors.ts';
import { admit } from './admit.ts';
import type { Engine } from './engine.ts';
import { type CreateInput, checkExpiry, checkShape } from './input.ts';
import { findLastRefusal, findRefusal, findRefusalSince } from './refusals.ts';
import { resolve } from './resolve.ts';
import { isBeingAnswered, type Settlement } from './settle.ts';
import { findLipsync, type Lipsync, selectLipsyncs } from './store.ts';
import { startSubmission } from './submit.ts';
import { findExceeded } from './use.ts';
import type { Watch } from './watch.ts';

export type Creation = { lipsync: Lipsync; replayed: boolean };

export async function createLipsync(
  engine: Engine,
  watch: Watch,
  request: { owner: string; canSeeAll: boolean; input: CreateInput },
): Promise<Creation> {
  const { owner, input } = request;
  checkShape(input, engine.webhooks);
  const askedAt = engine.now();
  const { idempotencyKey } = input;
  const lastRefusal = await findLastRefusal(engine.db, { owner, idempotencyKey });
  return find(engine, watch, { ...request, askedAt, lastRefusal });
}

type Request = {
  owner: string;
  canSeeAll: boolean;
  input: CreateInput;
  askedAt: Date;
  /** When it was asked: one since then answers it too, however often it has to look. */
  lastRefusal: number;
};

async function find(engine: Engine, watch: Watch, request: Request): Promise<Creation> {
  const { owner, input, askedAt, lastRefusal } = request;
  const fingerprint = fingerprintOf(input);
  const { idempotencyKey } = input;
  // Before the key: what used up the limit may be the twin that had the same key.
  const exceeded = await findExceeded(engine, engine.db, owner);
  const earlier = await findByKey(engine, owner, idempotencyKey);
  if (earlier !== null) return replay(engine, watch, { lipsync: earlier, fingerprint });
  if (exceeded !== null) {
    const twin = { owner, idempotencyKey, fingerprint };
    const refusal = await findRefusalSince(engine.db, twin, lastRefusal);
    throw refusal === null ? exceeded : restoreFailure(refusal);
  }
  checkExpiry(input, askedAt);

  const draft = await resolve(engine, { ...request, fingerprint });
  const admission = await admit(engine, draft, { lastRefusal, mayWait: input.mayWait });
  if (admission.kind === 'waiting') return { lipsync: admission.lipsync, replayed: false };
  if (admission.kind === 'taken') {
    const taken = await findByKey(engine, owner, input.idempotencyKey);
    // Refused between the two looks: asking again finds its refusal.
    if (taken === null) return find(engine, watch, request);
    return replay(engine, watch, { lipsync: taken, fingerprint });
  }
  const { lipsync, room } = admission;
  const settlement = await startSubmission(engine, lipsync, { room, mayWait: input.mayWait });
  return answer(engine, { lipsync, settlement });
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
