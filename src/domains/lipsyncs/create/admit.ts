import { randomInt, randomUUID } from 'node:crypto';
import type { Sql } from '../../../database/connect.ts';
import {
  InsufficientCreditsError,
  QueueFullError,
  RateLimitedError,
  restoreFailure,
} from '../../../errors.ts';
import type { Engine } from '../dependencies.ts';
import {
  chooseRoom,
  countWaiting,
  isRoomAwaited,
  lockQueue,
  notifyQueue,
  type Room,
  readRooms,
  takeTurn,
} from '../dispatch/queue.ts';
import { claimOf, tellCreated } from '../dispatch/submit.ts';
import { insertLipsync, type Lipsync } from '../store/lipsyncs.ts';
import { findRefusalSince } from '../store/refusals.ts';
import { findExceeded } from '../store/usage.ts';
import { trace } from '../trace.ts';

/** A checked request, everything it refers to resolved. */
export type Draft = Pick<
  Lipsync,
  | 'owner'
  | 'reference'
  | 'text'
  | 'voice'
  | 'sourceVideoId'
  | 'sourceVideo'
  | 'sourcePath'
  | 'audioPath'
  | 'mediaSeconds'
  | 'keepOriginalSound'
  | 'offPeak'
  | 'maxJobs'
  | 'callbackUrl'
  | 'callbackEvents'
  | 'idempotencyKey'
  | 'fingerprint'
  | 'expiresAt'
  | 'accountId'
  | 'isAccountFixed'
>;

export type Admission =
  | { kind: 'claimed'; lipsync: Lipsync; room: Room }
  | { kind: 'waiting'; lipsync: Lipsync }
  /** Another request with the same key was first. */
  | { kind: 'taken' };

/**
 * Decides, under the queue's lock, whether a request is sent now, waits or is refused, and writes its row. Limits
 * are exact here, however many ask at once on however many instances.
 */
export async function admit(
  engine: Engine,
  draft: Draft,
  asked: { lastRefusal: number; mayWait: boolean },
): Promise<Admission> {
  const admission = await engine.db.transaction<Admission>(async (tx) => {
    await lockQueue(tx);
    if (await isKeyTaken(tx, draft, asked.lastRefusal)) return { kind: 'taken' };
    const exceeded = await findExceeded(engine, tx, draft.owner);
    if (exceeded !== null) throw exceeded;
    const room = await findRoom(engine, tx, draft);
    if (room === null && (await isSpentEverywhere(tx, draft))) throw new InsufficientCreditsError();
    if (room === null) return enqueue(engine, tx, { draft, mayWait: asked.mayWait });
    const turn = await takeTurn(tx);
    const claim = claimOf(engine, room, { offPeak: draft.offPeak, attempts: 0, turn });
    return { kind: 'claimed', lipsync: await writeRow(engine, tx, { ...draft, ...claim }), room };
  });
  if (admission.kind !== 'taken') trace('row-written', { lipsyncId: admission.lipsync.id });
  return admission;
}

async function writeRow(
  engine: Engine,
  tx: Sql,
  row: Draft & Pick<Lipsync, 'status'>,
): Promise<Lipsync> {
  const id = randomUUID();
  trace('row-writing', { lipsyncId: id });
  const lipsync = await insertLipsync(tx, { ...row, id, createdAt: engine.now() });
  return tellCreated(engine, tx, lipsync);
}

/** @throws the refusal that its twin met while this request was being checked. */
async function isKeyTaken(tx: Sql, draft: Draft, lastRefusal: number): Promise<boolean> {
  if (draft.idempotencyKey === null) return false;
  const taken = await tx.query('select 1 from lipsyncs where owner = $1 and idempotency_key = $2', [
    draft.owner,
    draft.idempotencyKey,
  ]);
  if (taken.length > 0) return true;
  const refusal = await findRefusalSince(tx, draft, lastRefusal);
  if (refusal !== null) throw restoreFailure(refusal);
  return false;
}

async function enqueue(
  engine: Engine,
  tx: Sql,
  { draft, mayWait }: { draft: Draft; mayWait: boolean },
): Promise<Admission> {
  if (!mayWait) {
    const reason = draft.isAccountFixed ? 'ACCOUNT_BUSY' : 'ALL_ACCOUNTS_BUSY';
    throw new RateLimitedError(reason, randomInt(10, 31));
  }
  if ((await countWaiting(tx)) >= engine.limits.queue) throw new QueueFullError();
  await notifyQueue(tx);
  return { kind: 'waiting', lipsync: await writeRow(engine, tx, { ...draft, status: 'QUEUED' }) };
}

async function findRoom(engine: Engine, tx: Sql, draft: Draft): Promise<Room | null> {
  if (engine.stopping.aborted) return null;
  const now = engine.now();
  const room = chooseRoom(await readRooms(tx, now), draft);
  if (room === null) return null;
  return (await isRoomAwaited(tx, room, { offPeak: draft.offPeak, now })) ? null : room;
}

/** Whether no account that could do it has anything to pay for it, so that waiting for a place leads nowhere. */
async function isSpentEverywhere(tx: Sql, { accountId }: Draft): Promise<boolean> {
  const [row] = await tx.query<{ isSpent: boolean | null }>(
    `select bool_and(is_spent) as "isSpent" from accounts
     where case when $1::text is null then is_present else id = $1 end`,
    [accountId],
  );
  return row?.isSpent === true;
}
