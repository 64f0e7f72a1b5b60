import type { Sql } from '../../../database/connect.ts';
import type { StoredFailure } from '../../../errors.ts';
import type { Engine } from '../dependencies.ts';
import { type EventSource, isTerminal, type LipsyncStatus, mayFollow } from '../lifecycle.ts';
import { appendEvent, type Lipsync, updateLipsync } from '../store/lipsyncs.ts';
import { readPosition } from '../store/positions.ts';
import { trace } from '../trace.ts';
import { isWorthTelling, runningPercent } from './estimate.ts';

export type Occasion = {
  source: EventSource;
  at: Date;
  /** Who tells the owner's own server of what it asked for. */
  webhooks: Engine['webhooks'];
};

export function occasionOf(engine: Engine, source: EventSource): Occasion {
  return { source, at: engine.now(), webhooks: engine.webhooks };
}

/** The estimate of a running lip-sync; 100 only for a completed one; what was said last for any other. */
export function percentOf(lipsync: Lipsync, now: Date): number {
  if (lipsync.status === 'COMPLETED') return 100;
  const { submittedAt, expectedMs, finishedAt, loggedPercent } = lipsync;
  if (submittedAt === null || expectedMs === null || finishedAt !== null) return loggedPercent;
  return Math.max(loggedPercent, runningPercent(now.getTime() - submittedAt.getTime(), expectedMs));
}

/**
 * Moves a lip-sync to another status: the row, its event and the word to all instances, in the caller's
 * transaction. The row must be under lock. Throws where `lifecycle.ts` knows no such step: that is a defect of ours.
 */
export async function changeStatus(
  tx: Sql,
  lipsync: Lipsync,
  change: { status: LipsyncStatus; set?: Partial<Lipsync>; occasion: Occasion },
): Promise<Lipsync> {
  const { status, set = {}, occasion } = change;
  const isOutcomeUnknown = lipsync.failure?.code === 'OUTCOME_UNKNOWN';
  if (!mayFollow(lipsync.status, status, isOutcomeUnknown)) {
    throw new Error(`A lip-sync can't go from ${lipsync.status} to ${status}.`);
  }
  const ended = isTerminal(status)
    ? { finishedAt: occasion.at, holdsSlot: false, leaseUntil: null }
    : {};
  const changed = await updateLipsync(tx, lipsync.id, { ...ended, ...set, status });
  if (changed === null) throw new Error('The lip-sync was deleted while it was locked.');
  // Of the row before: one that ends keeps the estimate that was shown until now, and does not fall back.
  const percent = status === 'COMPLETED' ? 100 : percentOf(lipsync, occasion.at);
  const told = await tellChange(tx, changed, { ...occasion, percent });
  await occasion.webhooks.enqueue(tx, told);
  trace('status-written', { lipsyncId: lipsync.id, status });
  return told;
}

/** Writes the event of what the row now says. */
export async function tellChange(
  tx: Sql,
  lipsync: Lipsync,
  occasion: Occasion & { percent?: number },
): Promise<Lipsync> {
  const percent = occasion.percent ?? percentOf(lipsync, occasion.at);
  const position = await readPosition(tx, lipsync);
  await updateLipsync(tx, lipsync.id, {
    loggedPercent: percent,
    loggedPercentAt: occasion.at,
    loggedPosition: position ?? lipsync.loggedPosition,
  });
  await appendEvent(tx, lipsync, {
    percent,
    queuePosition: position,
    source: occasion.source,
    occurredAt: occasion.at,
  });
  return { ...lipsync, sequence: lipsync.sequence + 1, loggedPercent: percent };
}

/** Tells how far a running lip-sync is, where it moved far enough since the last time. */
export async function tellProgress(tx: Sql, lipsync: Lipsync, occasion: Occasion): Promise<void> {
  const last = { percent: lipsync.loggedPercent, at: lipsync.loggedPercentAt };
  if (isWorthTelling(last, percentOf(lipsync, occasion.at), occasion.at)) {
    await tellChange(tx, lipsync, occasion);
  }
}

/** Ends it with a failure: MODERATED where that is what it was, else FAILED. */
export async function fail(
  tx: Sql,
  lipsync: Lipsync,
  end: { failure: StoredFailure; occasion: Occasion },
): Promise<Lipsync> {
  const status = end.failure.code === 'CONTENT_MODERATED' ? 'MODERATED' : 'FAILED';
  return changeStatus(tx, lipsync, {
    status,
    set: { failure: end.failure },
    occasion: end.occasion,
  });
}
