import { randomInt } from 'node:crypto';
import type { Sql } from '../../../database/connect.ts';
import { type Failure, type FailureCode, storeFailure } from '../../../errors.ts';
import { type Engine, later } from '../dependencies.ts';
import type { LipsyncPost } from '../endpoints.ts';
import { expectedMs, kindOf, secondsOfSpeech } from '../progress/estimate.ts';
import { changeStatus, fail, type Occasion, occasionOf } from '../progress/transition.ts';
import { ensurePoll } from '../reconcile/poll-interval.ts';
import { type Lipsync, lockLipsync, notifyChange, updateLipsync } from '../store/lipsyncs.ts';
import { tellPositions } from '../store/positions.ts';
import { deleteRefused } from '../store/refusals.ts';
import { lockQueue, notifyQueue } from './queue.ts';

/** Refusals that say something of the account and not of the request: nothing is sent there until it healed. */
const pausing: ReadonlySet<FailureCode> = new Set([
  'UPSTREAM_UNAUTHORIZED',
  'SUBSCRIPTION_EXPIRED',
  'INSUFFICIENT_CREDITS',
  'ACCOUNT_PENDING',
]);

/**
 * A create that is still being answered: it never waited, so that the upstream's refusal is its caller's answer and
 * leaves nothing behind.
 */
export function isBeingAnswered(lipsync: Lipsync): boolean {
  return lipsync.status === 'SUBMITTING' && lipsync.loggedPosition === null;
}

/** What the POST led to, and whether it may wait where there was no room. */
export type Answer = LipsyncPost & { mayWait: boolean };

/** What became of a POST. `waiting` = put back into the queue. */
export type Settlement =
  | { kind: 'submitted'; wasCalledBack: boolean }
  | { kind: 'waiting' | 'unknown' }
  | { kind: 'refused'; failure: Failure };

/**
 * Writes down what a POST led to. Whoever marked the POST as started is the only one who may send it, and so the
 * only one to call this; others can at most have found the job meanwhile. It may be called again where nobody knows
 * whether the first time was written.
 */
export async function settle(
  engine: Engine,
  { id, attempts }: Pick<Lipsync, 'id' | 'attempts'>,
  answer: Answer,
): Promise<Settlement> {
  return engine.db.transaction(async (tx) => {
    await lockQueue(tx);
    const lipsync = await lockLipsync(tx, id);
    const occasion = occasionOf(engine, 'GATEWAY');
    if (lipsync === null && (answer.kind === 'refused' || answer.kind === 'not-sent')) {
      return { kind: 'refused', failure: answer.failure };
    }
    if (lipsync?.status !== 'SUBMITTING' || lipsync.attempts !== attempts) {
      return { kind: 'submitted', wasCalledBack: false };
    }
    await notifyQueue(tx);
    if (answer.kind === 'accepted') {
      await accept(engine, tx, { ...answer, lipsync, occasion });
      return { kind: 'submitted', wasCalledBack: lipsync.hintedVideoIds.length > 0 };
    }
    if (answer.kind === 'unknown') {
      await loseOutcome(engine, tx, { lipsync, at: occasion.at });
      return { kind: 'unknown' };
    }
    return turnDown(engine, tx, { lipsync, answer, occasion });
  });
}

/** Nobody knows what became of its POST: from now on it is looked for, and never sent again. */
export async function loseOutcome(
  engine: Engine,
  tx: Sql,
  { lipsync, at }: { lipsync: Lipsync; at: Date },
): Promise<void> {
  await updateLipsync(tx, lipsync.id, { outcomeUnknownAt: at, leaseUntil: null });
  await notifyChange(tx, lipsync.id);
  await tellPositions(tx, lipsync.owner, at);
  if (lipsync.accountId !== null) await ensurePoll(engine, lipsync.accountId, { tx });
}

/** The column is an integer, and an answer that can't be written down would make the POST's outcome unknown. */
function wholeCredits(credits: number | null): number | null {
  return credits === null || Math.abs(credits) > 1e9 ? null : Math.round(credits);
}

/** The upstream has the job: also used where a look found the job of a POST without an answer. */
export async function accept(
  engine: Engine,
  tx: Sql,
  job: {
    lipsync: Lipsync;
    upstreamVideoId: string;
    creditsCharged: number | null;
    occasion: Occasion;
  },
): Promise<Lipsync> {
  const { lipsync, occasion } = job;
  if (lipsync.accountId !== null) {
    await ensurePoll(engine, lipsync.accountId, { tx });
    await engine.accounts.endCooldown(tx, lipsync.accountId, occasion.at);
  }
  const submitted = await changeStatus(tx, lipsync, {
    status: 'SUBMITTED',
    set: {
      upstreamVideoId: job.upstreamVideoId,
      creditsCharged: wholeCredits(job.creditsCharged),
      submittedAt: occasion.at,
      holdsSlot: !lipsync.offPeak,
      expectedMs: await readExpectedMs(engine, tx, lipsync),
      leaseUntil: null,
      outcomeUnknownAt: null,
    },
    occasion,
  });
  await tellPositions(tx, lipsync.owner, occasion.at);
  if (submitted.cancelRequestedAt === null) return submitted;
  return changeStatus(tx, submitted, {
    status: 'CANCELLED',
    set: { isTrackingStopped: true, holdsSlot: submitted.holdsSlot },
    occasion,
  });
}

/** Refused or never sent: it waits again, ends, or leaves no trace. */
async function turnDown(
  engine: Engine,
  tx: Sql,
  refusal: {
    lipsync: Lipsync;
    answer: Extract<Answer, { kind: 'refused' | 'not-sent' }>;
    occasion: Occasion;
  },
): Promise<Settlement> {
  const { lipsync, answer, occasion } = refusal;
  const { failure } = answer;
  // Where the answer came later than its lease, the caller has been told that the outcome is unknown.
  const isFirstAnswer = isBeingAnswered(lipsync) && lipsync.outcomeUnknownAt === null;
  const isBusy = failure.code === 'RATE_LIMITED';
  const wasPaused = await tellAccount(engine, tx, { lipsync, answer, occasion });
  if (isFirstAnswer && !(isBusy && answer.mayWait)) {
    await deleteRefused(tx, lipsync, { failure: storeFailure(failure), at: occasion.at });
    await tellPositions(tx, lipsync.owner, occasion.at);
    return { kind: 'refused', failure };
  }
  // Of several that were under way when their account was paused, the first was told why; the others wait.
  if (isBusy || wasPaused || answer.kind === 'not-sent') {
    await putBack(tx, lipsync, occasion);
    return { kind: 'waiting' };
  }
  await fail(tx, lipsync, { failure: storeFailure(failure), occasion });
  await tellPositions(tx, lipsync.owner, occasion.at);
  return { kind: 'refused', failure };
}

/**
 * What the answer says of the account: full for a while, or not usable until it healed. True where that is not usable
 * for this very reason already.
 */
async function tellAccount(
  engine: Engine,
  tx: Sql,
  refusal: {
    lipsync: Lipsync;
    answer: { kind: string; failure: Failure };
    occasion: Occasion;
  },
): Promise<boolean> {
  const { lipsync, answer, occasion } = refusal;
  const { failure } = answer;
  if (lipsync.accountId === null) return false;
  if (pausing.has(failure.code)) {
    return !(await engine.accounts.pause(tx, lipsync.accountId, failure.code));
  }
  if (failure.code === 'RATE_LIMITED' || answer.kind === 'not-sent') {
    const seconds = failure.retryAfterSeconds ?? randomInt(10, 31);
    await engine.accounts.coolDown(tx, lipsync.accountId, later(occasion.at, seconds * 1000));
  }
  return false;
}

/** A log stays short: going back and forth is told five times, after that only the waiting itself. */
const toldAttempts = 5;

export function isAttemptTold(lipsync: Lipsync): boolean {
  return lipsync.attempts <= toldAttempts;
}

/**
 * Back into the queue, to its old place. Only where the upstream surely has no job of it. Its owner keeps its turn:
 * else a storm of 429 that hits one owner would let another one pass for as long as it lasts. An off-peak job, or one
 * with a limit of its own, may have been refused for that, and must not be tried again and again before all others.
 */
export async function putBack(tx: Sql, lipsync: Lipsync, occasion: Occasion): Promise<void> {
  const waiting: Partial<Lipsync> = {
    holdsSlot: false,
    leaseUntil: null,
    postStartedAt: null,
    outcomeUnknownAt: null,
    hintedVideoIds: [],
    accountId: lipsync.isAccountFixed ? lipsync.accountId : null,
    ...(lipsync.offPeak || lipsync.maxJobs !== null ? {} : { turn: null }),
  };
  if (lipsync.cancelRequestedAt !== null) {
    await changeStatus(tx, lipsync, { status: 'CANCELLED', set: waiting, occasion });
    await tellPositions(tx, lipsync.owner, occasion.at);
  } else if (isAttemptTold(lipsync)) {
    await changeStatus(tx, lipsync, { status: 'QUEUED', set: waiting, occasion });
  } else {
    await updateLipsync(tx, lipsync.id, { ...waiting, status: 'QUEUED' });
  }
}

/**
 * The median of the last fifty of its kind and length, else of its kind, else a default. They are looked for among the
 * last thousand: all others wait for this transaction, and one of a rare kind must not search a month for its like.
 */
async function readExpectedMs(engine: Engine, tx: Sql, lipsync: Lipsync): Promise<number> {
  const isText = lipsync.text !== null;
  const seconds = lipsync.text === null ? lipsync.mediaSeconds : secondsOfSpeech(lipsync.text);
  const kind = kindOf({ isText, seconds, isOffPeak: lipsync.offPeak });
  const read = async (bounds: { from: number; to: number }) => {
    const rows = await tx.query<{ ms: number }>(
      `select (extract(epoch from finished_at - submitted_at) * 1000)::float8 as ms from (
         select text, media_seconds, submitted_at, finished_at from lipsyncs
         where status = 'COMPLETED' and off_peak = $2 order by finished_at desc limit 1000) latest
       where submitted_at is not null and (text is not null) = $1
         and coalesce(media_seconds, length(text) / 14.0, 0) > $3
         and coalesce(media_seconds, length(text) / 14.0, 0) <= $4
       order by finished_at desc limit 50`,
      [kind.isText, kind.isOffPeak, bounds.from, bounds.to],
    );
    return rows.map(({ ms }) => ms);
  };
  const alike = await read({ from: kind.fromSeconds, to: Math.min(kind.toSeconds, 1e9) });
  const known = alike.length > 0 ? alike : await read({ from: -1, to: 1e9 });
  return expectedMs(known, engine.timing.firstGuessMs);
}
