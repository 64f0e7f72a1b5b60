import type { Failure } from '../../errors.ts';
import { cancelLipsync } from './cancel.ts';
import { createLipsyncs } from './create/batch.ts';
import { type Creation, createLipsync } from './create/create.ts';
import type { CreateInput } from './create/input.ts';
import type { Engine } from './dependencies.ts';
import { startClockwork } from './dispatch/scheduler.ts';
import { deleteLipsync, eraseOld, findOwn, isPlace, listOwn, type Place } from './history.ts';
import { decodeCursor, encodeCursor } from './progress/cursor.ts';
import { estimatedCompletion } from './progress/estimate.ts';
import { Watch } from './progress/log-watcher.ts';
import { followLipsync, followLipsyncs, type ListRequest } from './progress/subscribe.ts';
import { percentOf } from './progress/transition.ts';
import { createListener } from './reconcile/callbacks.ts';
import { type Lipsync, type LipsyncEvent, readEvents } from './store/lipsyncs.ts';
import { readPositions } from './store/positions.ts';
import { readUse } from './store/usage.ts';

export type { Cancellation } from './cancel.ts';
export type { Creation } from './create/create.ts';
export type { Progress } from './progress/log-watcher.ts';
export type { Lipsync, LipsyncEvent } from './store/lipsyncs.ts';
export type LipsyncService = Awaited<ReturnType<typeof createLipsyncService>>;
export type LipsyncOptions = Omit<Engine, 'submissions' | 'stopping'>;

/** All that this slice does, over one engine. `start` begins to send and to look; until then nothing moves. */
export async function createLipsyncService(options: LipsyncOptions) {
  const stopping = new AbortController();
  const engine: Engine = { ...options, submissions: new Map(), stopping: stopping.signal };
  const watch = new Watch(engine.db, engine.log);
  await watch.open();
  const clockwork = startClockwork(engine);
  const listener = createListener(engine);

  return {
    create: (request: { owner: string; canSeeAll: boolean; input: CreateInput }) =>
      createLipsync(engine, watch, request),
    /** What each of the inputs came to, in their order. */
    createAll: (request: {
      owner: string;
      canSeeAll: boolean;
      inputs: readonly CreateInput[];
    }): Promise<(Creation | Failure)[]> => createLipsyncs(engine, watch, request),
    cancel: (request: { owner: string; id: string }) => cancelLipsync(engine, watch, request),
    delete: (request: { owner: string; id: string }) => deleteLipsync(engine, request),
    findOwn: (owner: string, keys: readonly string[]) => findOwn(engine.db, owner, keys),
    listOwn: (owner: string, page: Parameters<typeof listOwn>[2]) =>
      listOwn(engine.db, owner, page),
    cursorOf: (event: LipsyncEvent) => encodeCursor(event.lipsyncId, event.sequence),
    /** The sequence that a cursor of this lip-sync names, or null where it is none of its. */
    placeOf: (lipsync: Lipsync, cursor: string) => decodeCursor(lipsync.id, cursor),
    readEvents: (id: string, range: { after: number; limit: number }) =>
      readEvents(engine.db, id, range),
    readUse: (owner: string) => readUse(engine.db, owner, engine.now()),
    limits: engine.limits,

    /** Estimates of now, not of when the row was last written. */
    estimate: (lipsync: Lipsync) => ({
      percent: percentOf(lipsync, engine.now()),
      estimatedCompletionAt: dueOf(engine, lipsync),
    }),
    readPositions: (ids: readonly string[]) => readPositions(engine.db, ids),

    /** @throws InvalidInputError where the cursor is none of this lip-sync's. */
    follow: (lipsync: Lipsync, cursor: string | null) =>
      followLipsync(engine, watch, { lipsync, cursor }),
    /** @throws NotFoundError, InvalidInputError. */
    followAll: (request: ListRequest) => followLipsyncs(engine, watch, request),

    /** A callback came for it: what it claims is at most a hint of where to look. */
    onCallback: listener.onCallback,
    eraseFinishedBefore: (moment: Date) => eraseOld(engine, moment),
    watchedCount: () => watch.watchedCount,
    start: clockwork.start,
    /** Takes no new work and waits for the POSTs under way. */
    async drain(): Promise<void> {
      stopping.abort();
      await clockwork.stop();
      while (engine.submissions.size > 0) await Promise.allSettled(engine.submissions.values());
    },
    async close(): Promise<void> {
      await listener.close();
      await watch.close();
    },
  };
}

export type { CreateInput, Place };
export { isPlace };

function dueOf(engine: Engine, lipsync: Lipsync): Date | null {
  const { submittedAt, expectedMs, finishedAt } = lipsync;
  if (finishedAt !== null || submittedAt === null || expectedMs === null) return null;
  return estimatedCompletion(submittedAt, expectedMs, engine.now());
}
