import type { Sql } from '../../../database/connect.ts';
import { type Engine, later, leaseMs } from '../dependencies.ts';
import { postLipsync } from '../endpoints.ts';
import { changeStatus, occasionOf, tellChange } from '../progress/transition.ts';
import { lookAtLipsync } from '../reconcile/find-job.ts';
import { type Lipsync, lockLipsync, selectLipsyncs, updateLipsync } from '../store/lipsyncs.ts';
import { tellPositions } from '../store/positions.ts';
import { trace } from '../trace.ts';
import {
  chooseRoom,
  lockQueue,
  lockWaiting,
  mayHaveRoom,
  notifyQueue,
  type Room,
  readNextOfEachOwner,
  readRooms,
  takeTurn,
} from './queue.ts';
import { giveBack } from './release.ts';
import { outlast } from './retry-write.ts';
import { isAttemptTold, loseOutcome, putBack, type Settlement, settle } from './settle.ts';

/** What a claim writes: from here on the lip-sync belongs to this process until the lease ends. */
export function claimOf(
  engine: Engine,
  room: Room,
  job: { offPeak: boolean; attempts: number; turn: number },
) {
  const now = engine.now();
  return {
    status: 'SUBMITTING',
    accountId: room.accountId,
    holdsSlot: !job.offPeak,
    attempts: job.attempts + 1,
    turn: job.turn,
    claimedAt: now,
    leaseUntil: later(now, leaseMs(engine)),
  } satisfies Partial<Lipsync>;
}

/** Takes the fairest waiting lip-sync that has room, or none. */
async function claimNext(engine: Engine): Promise<{ lipsync: Lipsync; room: Room } | null> {
  return engine.db.transaction(async (tx) => {
    await lockQueue(tx);
    const rooms = await readRooms(tx, engine.now());
    if (rooms.length === 0) return null;
    for (const next of await readNextOfEachOwner(tx, engine.now())) {
      const room = chooseRoom(rooms, next);
      const lipsync = room === null ? null : await lockWaiting(tx, next.id);
      if (room === null || lipsync === null) continue;
      return { lipsync: await claim(engine, tx, { lipsync, room }), room };
    }
    return null;
  });
}

async function claim(
  engine: Engine,
  tx: Sql,
  { lipsync, room }: { lipsync: Lipsync; room: Room },
): Promise<Lipsync> {
  const turn = await takeTurn(tx);
  const { status, ...set } = claimOf(engine, room, { ...lipsync, turn });
  const occasion = occasionOf(engine, 'GATEWAY');
  if (isAttemptTold({ ...lipsync, ...set }))
    return changeStatus(tx, lipsync, { status, set, occasion });
  return (await updateLipsync(tx, lipsync.id, { ...set, status })) ?? lipsync;
}

/**
 * Sends what there is room for, one after another until nothing fits. Called whenever something may have become
 * free; two calls at once do no harm.
 */
export async function dispatch(engine: Engine, isStopping: () => boolean): Promise<void> {
  while (!isStopping() && (await mayHaveRoom(engine.db, engine.now()))) {
    const claimed = await claimNext(engine);
    if (claimed === null) return;
    trace('row-written', { lipsyncId: claimed.lipsync.id });
    // It tells its outcome to the row, and never throws.
    void startSubmission(engine, claimed.lipsync, { room: claimed.room, mayWait: true });
  }
}

/** Sends the one POST of a claimed lip-sync. It goes on whoever leaves; a stop of the process waits for it. */
export function startSubmission(
  engine: Engine,
  lipsync: Lipsync,
  way: { room: Room; mayWait: boolean },
): Promise<Settlement> {
  const submission = submit(engine, lipsync, way)
    .catch((error: unknown): Settlement => {
      // The row keeps its lease and is found when that ends: looked for where the POST had started, else sent.
      engine.log.error({ err: error, lipsyncId: lipsync.id }, 'a submission broke off');
      return { kind: 'unknown' };
    })
    .finally(() => {
      // Put back, it may be under way again by now.
      if (engine.submissions.get(lipsync.id) === submission) engine.submissions.delete(lipsync.id);
    });
  engine.submissions.set(lipsync.id, submission);
  return submission;
}

async function submit(
  engine: Engine,
  lipsync: Lipsync,
  way: { room: Room; mayWait: boolean },
): Promise<Settlement> {
  const { room } = way;
  // Before the mark: what fails here leaves a claim that was surely not sent.
  const upstreamVideoId =
    lipsync.sourceVideoId === null
      ? null
      : await engine.videos.ids.toUpstream(lipsync.sourceVideoId);
  const startedAt = engine.now();
  if (engine.stopping.aborted) return giveBack(engine, lipsync, way);
  const { id: lipsyncId, leaseUntil } = lipsync;
  const mayPost = await outlast(engine, { lipsyncId, until: leaseUntil }, () =>
    markPostStarted(engine, lipsync, startedAt),
  );
  if (!mayPost) return giveBack(engine, lipsync, way);
  trace('post-started', { lipsyncId });
  const answer = await postLipsync(engine.upstream, {
    ...(upstreamVideoId === null ? {} : { videoId: upstreamVideoId }),
    ...(lipsync.sourcePath === null ? {} : { videoPath: lipsync.sourcePath, email: room.email }),
    ...(lipsync.audioPath === null ? {} : { audioPath: lipsync.audioPath }),
    ...(lipsync.text === null ? {} : { prompt: lipsync.text }),
    ...(lipsync.voice === null ? {} : { speakerId: lipsync.voice.speakerId }),
    ...(lipsync.keepOriginalSound === null ? {} : { keepOriginalSound: lipsync.keepOriginalSound }),
    ...(lipsync.offPeak ? { offPeak: true } : {}),
    // It lowers the account's own and never raises it.
    ...(lipsync.maxJobs === null ? {} : { maxJobs: Math.min(lipsync.maxJobs, room.maxJobs) }),
    replyUrl: engine.callbackUrl(lipsync.id),
    replyRef: lipsync.id,
  });
  trace('answer-read', { lipsyncId });
  // Also when somebody else has taken it over since: only we know the answer.
  const settlement = await outlast(engine, { lipsyncId, until: null }, () =>
    settle(engine, lipsync, { ...answer, mayWait: way.mayWait }),
  );
  lookAtOnce(engine, lipsync.id, settlement);
  return settlement;
}

/** Where the POST had no answer, or a callback outran it, there may be something to see already. */
function lookAtOnce(engine: Engine, id: string, settlement: Settlement): void {
  const isUnknown = settlement.kind === 'unknown';
  if (!isUnknown && !(settlement.kind === 'submitted' && settlement.wasCalledBack)) return;
  lookAtLipsync(engine, id, isUnknown ? 'POLL' : 'CALLBACK').catch((error: unknown) => {
    engine.log.warn({ err: error, lipsyncId: id }, 'the first look broke off; the poll follows');
  });
}

/**
 * The point of no return, written before the first byte can leave: whoever finds the row after this looks for the
 * job and never sends it again. False where the claim was lost or its time has passed, and then nothing may be sent. With
 * the same `at` it says the same again: nobody else marks this attempt.
 */
async function markPostStarted(engine: Engine, lipsync: Lipsync, at: Date): Promise<boolean> {
  const rows = await engine.db.query(
    `update lipsyncs set post_started_at = $2
     where id = $1 and status = 'SUBMITTING' and attempts = $3
       and (post_started_at is null or post_started_at = $2)
       and (expires_at is null or expires_at > $2)
     returning id`,
    [lipsync.id, at, lipsync.attempts],
  );
  return rows.length > 0;
}

/**
 * Claims whose holder is gone: back into the queue where no POST had started, else to be looked for; those it returns.
 * On the embedded database every lease is void at start, since nobody else can hold one.
 */
export async function takeOver(engine: Engine, leasesAreVoid = false): Promise<string[]> {
  const now = engine.now();
  const abandoned = await selectLipsyncs(
    engine.db,
    `where status = 'SUBMITTING' and outcome_unknown_at is null and (lease_until <= $1 or $2)`,
    [now, leasesAreVoid],
  );
  const lost: string[] = [];
  for (const { id } of abandoned) {
    if (engine.submissions.has(id)) continue;
    const isLost = await engine.db.transaction(async (tx) => {
      await lockQueue(tx);
      const lipsync = await lockLipsync(tx, id);
      if (lipsync === null || !isAbandoned(lipsync, leasesAreVoid ? null : now)) return false;
      await notifyQueue(tx);
      if (lipsync.postStartedAt === null) {
        await putBack(tx, lipsync, occasionOf(engine, 'GATEWAY'));
        return false;
      }
      await loseOutcome(engine, tx, { lipsync, at: now });
      return true;
    });
    if (isLost) lost.push(id);
  }
  return lost;
}

/** With null for `now` every lease has ended. */
function isAbandoned(lipsync: Lipsync, now: Date | null): boolean {
  const { status, outcomeUnknownAt, leaseUntil } = lipsync;
  if (status !== 'SUBMITTING' || outcomeUnknownAt !== null) return false;
  return now === null || (leaseUntil?.getTime() ?? 0) <= now.getTime();
}

/** Ends what has waited past its `expiresAt`. */
export async function expireDue(engine: Engine): Promise<void> {
  const due = await engine.db.query<{ id: string }>(
    "select id from lipsyncs where status = 'QUEUED' and expires_at <= $1",
    [engine.now()],
  );
  for (const { id } of due) {
    await engine.db.transaction(async (tx) => {
      await lockQueue(tx);
      const lipsync = await lockLipsync(tx, id);
      if (lipsync?.status !== 'QUEUED') return;
      const occasion = occasionOf(engine, 'GATEWAY');
      await changeStatus(tx, lipsync, { status: 'EXPIRED', occasion });
      await tellPositions(tx, lipsync.owner, occasion.at);
    });
  }
}

/** The first event of a lip-sync, in the transaction that made its row. */
export async function tellCreated(engine: Engine, tx: Sql, lipsync: Lipsync): Promise<Lipsync> {
  return tellChange(tx, lipsync, occasionOf(engine, 'GATEWAY'));
}
