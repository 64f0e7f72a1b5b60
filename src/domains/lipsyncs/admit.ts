import { randomInt, randomUUID } from 'node:crypto';
import type { Sql } from '../../database/connect.ts';
import {
  QueueFullError,
  QuotaExceededError,
  RateLimitedError,
  restoreFailure,
} from '../../errors.ts';
import type { Engine } from './engine.ts';
import {
  chooseRoom,
  countWaiting,
  isRoomAwaited,
  lockQueue,
  notifyQueue,
  type Room,
  readRooms,
} from './queue.ts';
import { findRefusalSince, insertLipsync, type Lipsync } from './store.ts';
import { claimOf, tellCreated } from './submit.ts';

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
  asked: { at: Date; mayWait: boolean },
): Promise<Admission> {
  return engine.db.transaction(async (tx) => {
    await lockQueue(tx);
    if (await isKeyTaken(tx, draft, asked.at)) return { kind: 'taken' };
    await checkQuotas(engine, tx, draft.owner);
    const room = await findRoom(engine, tx, draft);
    if (room === null) return enqueue(engine, tx, { draft, mayWait: asked.mayWait });
    const lipsync = await insertLipsync(tx, {
      ...fresh(engine, draft),
      ...claimOf(engine, room, { offPeak: draft.offPeak, attempts: 0 }),
    });
    return { kind: 'claimed', lipsync: await tellCreated(engine, tx, lipsync), room };
  });
}

function fresh(engine: Engine, draft: Draft) {
  return { ...draft, id: randomUUID(), createdAt: engine.now() };
}

/** @throws the refusal that its twin met while this request was being checked. */
async function isKeyTaken(tx: Sql, draft: Draft, askedAt: Date): Promise<boolean> {
  if (draft.idempotencyKey === null) return false;
  const taken = await tx.query('select 1 from lipsyncs where owner = $1 and idempotency_key = $2', [
    draft.owner,
    draft.idempotencyKey,
  ]);
  if (taken.length > 0) return true;
  const refusal = await findRefusalSince(tx, draft, askedAt);
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
  const lipsync = await insertLipsync(tx, { ...fresh(engine, draft), status: 'QUEUED' });
  await notifyQueue(tx);
  return { kind: 'waiting', lipsync: await tellCreated(engine, tx, lipsync) };
}

async function findRoom(engine: Engine, tx: Sql, draft: Draft): Promise<Room | null> {
  if (engine.stopping.aborted) return null;
  const now = engine.now();
  const room = chooseRoom(await readRooms(tx, now), draft);
  if (room === null) return null;
  return (await isRoomAwaited(tx, room, { offPeak: draft.offPeak, now })) ? null : room;
}

async function checkQuotas(engine: Engine, tx: Sql, owner: string): Promise<void> {
  const { perDay, inFlight } = engine.limits;
  if (perDay === null && inFlight === null) return;
  const use = await readUse(tx, owner, engine.now());
  if (inFlight !== null && use.inFlight >= inFlight) {
    throw new QuotaExceededError(`${inFlight} lip-syncs at a time`, 30);
  }
  if (perDay !== null && use.today >= perDay) {
    throw new QuotaExceededError(`${perDay} lip-syncs a day`, use.secondsUntilNext);
  }
}

/** What an owner has under way, and what it has asked for in the last 24 hours. */
export async function readUse(
  sql: Sql,
  owner: string,
  now: Date,
): Promise<{ inFlight: number; today: number; secondsUntilNext: number }> {
  const dayAgo = new Date(now.getTime() - 86_400_000);
  const [row] = await sql.query<{ inFlight: number; today: number; oldest: Date | null }>(
    `select count(*) filter (where finished_at is null)::int as "inFlight",
       count(*) filter (where created_at > $2)::int as today,
       min(created_at) filter (where created_at > $2) as oldest
     from lipsyncs where owner = $1`,
    [owner, dayAgo],
  );
  const oldest = row?.oldest ?? now;
  return {
    inFlight: row?.inFlight ?? 0,
    today: row?.today ?? 0,
    secondsUntilNext: Math.max(1, Math.ceil((oldest.getTime() - dayAgo.getTime()) / 1000)),
  };
}
