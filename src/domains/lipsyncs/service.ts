import type { Failure } from '../../errors.ts';
import type { Origin } from '../../tracing/tracer.ts';
import { cancelLipsync } from './cancel.ts';
import { createLipsyncs } from './create/batch.ts';
import { type Creation, createLipsync } from './create/create.ts';
import { type CreateDependencies, withAdmission } from './create/dependencies.ts';
import type { CreateInput } from './create/input.ts';
import { readAllowance } from './create/limits.ts';
import { type Quote, type QuoteInput, quoteLipsync } from './credits/quote.ts';
import type { LipsyncDependencies } from './dependencies.ts';
import { createScheduler } from './dispatch/scheduler.ts';
import { deleteLipsync, eraseOldBatches, findOwn, listAll, listOwn } from './history.ts';
import { chargeOf, isTerminal, lipsyncStatuses } from './lifecycle.ts';
import { decodeCursor, encodeCursor } from './progress/cursor.ts';
import { estimatedCompletion } from './progress/estimate.ts';
import { LogWatcher } from './progress/log-watcher.ts';
import { createOwnRows } from './progress/own-rows.ts';
import { createPositionReader } from './progress/position.ts';
import { traceStream } from './progress/spans.ts';
import { type ListRequest, subscribeToLipsync, subscribeToLipsyncs } from './progress/subscribe.ts';
import { percentOf } from './progress/transition.ts';
import { createCallbackHandler } from './reconcile/callbacks.ts';
import { createOwnerErasure } from './repair/erase-owner.ts';
import { createRepairs } from './repair/repair.ts';
import { type LipsyncEvent, readEvents } from './store/events.ts';
import { findLipsync, type Lipsync } from './store/lipsyncs.ts';
import type { LipsyncPage } from './store/list.ts';
import type { AdminPage } from './store/list-all.ts';
import { type OwnerUsagePage, readUsageOf, readUsageOfDay, type UsageRange } from './usage.ts';
import { readQueue, readWork } from './work.ts';

export type { Cancellation } from './cancel.ts';
export type { Creation } from './create/create.ts';
export type { Charge } from './lifecycle.ts';
export type { Progress } from './progress/log-feed.ts';
export type { Ending } from './repair/repair.ts';
export type { LipsyncEvent } from './store/events.ts';
export type { Lipsync } from './store/lipsyncs.ts';
export type { OwnerUsage, UsageDay } from './store/usage-days.ts';
export type { QueueOwner, UnfinishedWork } from './store/work.ts';
export type { CreateInput, Quote };
export type LipsyncService = Awaited<ReturnType<typeof createLipsyncService>>;
export type LipsyncOptions = Omit<LipsyncDependencies, 'submissions' | 'stopping'>;
export { chargeOf, isTerminal, lipsyncStatuses };

type Caller = { owner: string; canSeeAll: boolean };
type Creator = Caller & { origin?: Origin };

/** The functions of this slice. Nothing is sent or polled before `start`. */
export async function createLipsyncService(options: LipsyncOptions) {
  const stopping = new AbortController();
  const deps: LipsyncDependencies = {
    ...options,
    submissions: new Map(),
    stopping: stopping.signal,
  };
  const watcher = new LogWatcher(deps.db, deps.log);
  await watcher.open();
  const scheduler = createScheduler(deps);
  const callbacks = createCallbackHandler(deps);
  const positions = createPositionReader(deps.db);
  const onQueued = afterQueueing(positions, scheduler);
  const creating = withAdmission(deps, { watcher, onQueued });

  return {
    /** Throws failures. */
    create: (request: Creator & { input: CreateInput }) => createLipsync(creating, request),
    /** The result of each input, in their order. */
    createAll: (
      request: Creator & { inputs: readonly CreateInput[] },
    ): Promise<(Creation | Failure)[]> => createLipsyncs(creating, request),
    ...createReports(creating),
    cancel: (request: { owner: string; id: string }) => cancelLipsync(deps, watcher, request),
    delete: (request: { owner: string; id: string }) => deleteLipsync(deps, request),
    ...createRepairs(deps),
    ...createOwnerErasure(deps, watcher),
    findOwn: (owner: string, keys: readonly string[]) => findOwn(deps.db, owner, keys),
    cursorOf: (event: LipsyncEvent) => encodeCursor(event.lipsyncId, event.sequence),
    /** The sequence in a cursor, or null if the cursor does not belong to this lip-sync. */
    sequenceOfCursor: (lipsync: Lipsync, cursor: string) => decodeCursor(lipsync.id, cursor),
    readEvents: (id: string, range: { after: number; limit: number }) =>
      readEvents(deps.db, id, range),
    /** How much of a limit is used. Null if there is no limit. */
    readAllowance: (owner: string, name: 'perDay' | 'inFlight') => readAllowance(deps, owner, name),
    readWork: () => readWork(deps),

    /** Computed for this moment; the row has the last logged values. */
    estimate: (lipsync: Lipsync) => ({
      percent: percentOf(lipsync, deps.now()),
      estimatedCompletionAt: completionOf(lipsync, deps.now()),
    }),
    readPosition: positions.read,

    ...createSubscribing(deps, watcher),

    /** A callback's body is only a hint: the state is read from the upstream. */
    onCallback: callbacks.onCallback,
    eraseOldBatches: (finishedBefore: Date) => eraseOldBatches(deps, finishedBefore),
    watchedCount: () => watcher.watchedCount,
    start: scheduler.start,
    /** Accepts no new work and waits for the POSTs under way. */
    async drain(): Promise<void> {
      stopping.abort();
      await scheduler.stop();
      while (deps.submissions.size > 0) await Promise.allSettled(deps.submissions.values());
    },
    async close(): Promise<void> {
      await callbacks.close();
      await watcher.close();
    },
  };
}

function afterQueueing(
  positions: ReturnType<typeof createPositionReader>,
  scheduler: ReturnType<typeof createScheduler>,
) {
  return (lipsyncs: readonly Lipsync[]) => {
    lipsyncs.forEach(positions.remember);
    scheduler.wake();
  };
}

/** Reads that concern several lip-syncs, or one that is not created yet. */
function createReports(deps: CreateDependencies) {
  return {
    /** Throws failures. */
    quote: (request: Caller & { input: QuoteInput }): Promise<Quote> => quoteLipsync(deps, request),
    listOwn: (owner: string, page: LipsyncPage) => listOwn(deps.db, owner, page),
    /** For admins: of any owner. */
    findAny: (id: string) => findLipsync(deps.db, id),
    /** For admins: of every owner. */
    listAll: (page: AdminPage) => listAll(deps.db, page),
    /** @throws InvalidInputError */
    readUsageDays: (owner: string, range: UsageRange) => readUsageOf(deps, owner, range),
    /** For admins. */
    readUsageOfDay: (page: OwnerUsagePage) => readUsageOfDay(deps, page),
    /** For admins. */
    ...readQueue(deps),
  };
}

function createSubscribing(deps: LipsyncDependencies, watcher: LogWatcher) {
  const countResume = (cursor: string | null) => {
    if (cursor !== null) deps.meter.count('graphql_stream_resumes_total', {});
  };
  return {
    /** For a new subscription. Null for an id that does not exist or belongs to another owner. */
    findToWatch: createOwnRows(deps.db),
    /** @throws InvalidInputError if the cursor does not belong to this lip-sync */
    subscribe(lipsync: Lipsync, cursor: string | null) {
      const events = subscribeToLipsync(watcher, { lipsync, cursor });
      countResume(cursor);
      return traceStream(deps.tracer, events, [lipsync]);
    },
    /** @throws NotFoundError, InvalidInputError */
    async subscribeToMany(request: ListRequest) {
      const events = await subscribeToLipsyncs(deps, watcher, request);
      countResume(request.cursor);
      return events;
    },
  };
}

function completionOf(lipsync: Lipsync, now: Date): Date | null {
  const { submittedAt, expectedMs, finishedAt } = lipsync;
  if (finishedAt !== null || submittedAt === null || expectedMs === null) return null;
  return estimatedCompletion(submittedAt, expectedMs, now);
}
