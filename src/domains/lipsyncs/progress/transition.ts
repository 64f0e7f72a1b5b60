import type { Sql } from '../../../database/connect.ts';
import { afterCommit } from '../../../database/transaction.ts';
import type { StoredFailure } from '../../../errors.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { logLife } from '../life-log.ts';
import {
  canTransition,
  type EventSource,
  hasFailedAsUnknown,
  isTerminal,
  type LipsyncStatus,
} from '../lifecycle.ts';
import { appendEvent } from '../store/events.ts';
import { type Lipsync, updateLipsync } from '../store/lipsyncs.ts';
import { readPosition } from '../store/positions.ts';
import { trace } from '../trace.ts';
import { isPercentWorthLogging, runningPercent } from './estimate.ts';

/** What caused a change and when, for its event and its webhook. */
export type ChangeContext = {
  source: EventSource;
  at: Date;
  webhooks: LipsyncDependencies['webhooks'];
  accounts: LipsyncDependencies['accounts'];
  meter: LipsyncDependencies['meter'];
  tracer: LipsyncDependencies['tracer'];
  log: LipsyncDependencies['log'];
};

export function changeContext(deps: LipsyncDependencies, source: EventSource): ChangeContext {
  const { webhooks, accounts, meter, tracer, log } = deps;
  return { source, at: deps.now(), webhooks, accounts, meter, tracer, log };
}

/** The estimate while the job runs, 100 once COMPLETED, else the last logged percentage. */
export function percentOf(lipsync: Lipsync, now: Date): number {
  if (lipsync.status === 'COMPLETED') return 100;
  const { submittedAt, expectedMs, finishedAt, loggedPercent } = lipsync;
  if (submittedAt === null || expectedMs === null || finishedAt !== null) return loggedPercent;
  return Math.max(loggedPercent, runningPercent(now.getTime() - submittedAt.getTime(), expectedMs));
}

/** A change to one of these statuses can change the upstream's list of the account's videos. */
const listedStatuses: ReadonlySet<LipsyncStatus> = new Set([
  'SUBMITTED',
  'GENERATING',
  'COMPLETED',
  'FAILED',
  'MODERATED',
]);

/**
 * Moves a lip-sync to another status: writes the row, its event, its webhook and the notification in the caller's
 * transaction. The row must be locked. Throws if `lifecycle.ts` does not allow the transition, which is a bug.
 */
export async function changeStatus(
  tx: Sql,
  lipsync: Lipsync,
  change: { status: LipsyncStatus; set?: Partial<Lipsync>; context: ChangeContext },
): Promise<Lipsync> {
  const { status, set = {}, context } = change;
  if (!canTransition(lipsync.status, status, hasFailedAsUnknown(lipsync))) {
    throw new Error(`A lip-sync can't go from ${lipsync.status} to ${status}.`);
  }
  const ended = isTerminal(status)
    ? { finishedAt: context.at, holdsSlot: false, leaseUntil: null }
    : {};
  const changed = await updateLipsync(tx, lipsync.id, { ...ended, ...set, status });
  if (changed === null) throw new Error('The lip-sync was deleted while it was locked.');
  // From the row before the change: a lip-sync that ends keeps the last shown estimate, so that it never falls.
  const percent = status === 'COMPLETED' ? 100 : percentOf(lipsync, context.at);
  const logged = await appendChangeEvent(tx, changed, { ...context, percent });
  await context.webhooks.enqueue(tx, logged);
  if (logged.accountId !== null && listedStatuses.has(status)) {
    await context.accounts.announceChange(tx, logged.accountId);
  }
  trace('status-written', { lipsyncId: lipsync.id, status });
  reportChange(lipsync, logged, context);
  return logged;
}

/** Logs and traces a change and measures an end, when the change is committed. */
function reportChange(
  before: Lipsync,
  changed: Lipsync,
  { meter, tracer, log, at, source }: ChangeContext,
): void {
  const { id, status, sequence, failure, traceparent } = changed;
  const event = status.toLowerCase() as Lowercase<LipsyncStatus>;
  logLife(log, changed, { event, source, code: failure?.code });
  const attributes = { 'lipsync.id': id, 'lipsync.status': status, 'lipsync.source': source };
  afterCommit(() => {
    const span = tracer.start('lipsync event', {
      of: traceparent,
      attributes: { ...attributes, 'lipsync.sequence': sequence },
    });
    if (failure !== null) span.fail(failure.code);
    span.end();
  });
  if (isTerminal(status)) {
    const seconds = (at.getTime() - before.createdAt.getTime()) / 1_000;
    afterCommit(() => meter.time('lipsync_end_to_end_seconds', { status }, seconds));
  }
}

/** Writes an event with the row's current status. */
export async function appendChangeEvent(
  tx: Sql,
  lipsync: Lipsync,
  context: ChangeContext & { percent?: number },
): Promise<Lipsync> {
  const percent = context.percent ?? percentOf(lipsync, context.at);
  const position = await readPosition(tx, lipsync);
  await updateLipsync(tx, lipsync.id, {
    loggedPercent: percent,
    loggedPercentAt: context.at,
    loggedPosition: position ?? lipsync.loggedPosition,
  });
  await appendEvent(tx, lipsync, {
    percent,
    queuePosition: position,
    source: context.source,
    occurredAt: context.at,
  });
  return { ...lipsync, sequence: lipsync.sequence + 1, loggedPercent: percent };
}

/** Logs the percentage of a running lip-sync if it moved far enough since the last event. */
export async function appendProgressEvent(
  tx: Sql,
  lipsync: Lipsync,
  context: ChangeContext,
): Promise<void> {
  const last = { percent: lipsync.loggedPercent, at: lipsync.loggedPercentAt };
  if (isPercentWorthLogging(last, percentOf(lipsync, context.at), context.at)) {
    await appendChangeEvent(tx, lipsync, context);
  }
}

/** Ends a lip-sync with a failure: as MODERATED for a moderation failure, else as FAILED. */
export async function failLipsync(
  tx: Sql,
  lipsync: Lipsync,
  end: { failure: StoredFailure; context: ChangeContext },
): Promise<Lipsync> {
  const status = end.failure.code === 'CONTENT_MODERATED' ? 'MODERATED' : 'FAILED';
  return changeStatus(tx, lipsync, {
    status,
    set: { failure: end.failure },
    context: end.context,
  });
}
