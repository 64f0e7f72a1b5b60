import { answerJson, type Reply } from './responses.ts';
import type { Call } from './body.ts';
import type { Job } from '../jobs/job.ts';
import { answerDeleted, readRawId } from './videos.ts';
import type { Route, World } from '../state.ts';

export const schedulerRoutes: Route[] = [
  { method: 'GET', path: '/scheduler', handle: listExecuting },
  { method: 'GET', path: '/scheduler/available', handle: listAvailable },
  { method: 'DELETE', path: '/scheduler/:id', handle: stopTracking },
];

/** A bare array. */
function listExecuting(_call: Call, world: World): Reply {
  const all = world.accounts.list().flatMap((account) => world.jobs.executing(account.email));
  const idField = world.profile() === '2024-12' ? 'videoId' : 'id';
  return answerJson(
    200,
    all.map((job) => show(job, idField, world)),
  );
}

function listAvailable(_call: Call, world: World): Reply {
  const accounts = world.accounts.list();
  const idField = world.profile() === '2024-12' ? 'video_id' : 'id';
  const executing = accounts.flatMap((account) => world.jobs.executing(account.email));
  const available = accounts.map(({ email, maxJobs }) => {
    const busy = world.jobs.executing(email).length;
    return { email, maxJobs, executing: busy, available: Math.max(0, maxJobs - busy) };
  });
  return answerJson(200, {
    executing: executing.map((job) => show(job, idField, world)),
    available,
  });
}

/** Frees the slot and ends the callbacks. The job itself goes on and costs. */
async function stopTracking(call: Call, world: World): Promise<Reply> {
  const id = readRawId(call);
  const job = world.jobs.find(id);
  const isRunning = job && world.jobs.executing(job.email).includes(job);
  // Without `code`, as on the sibling page of another service.
  if (!isRunning) return answerJson(404, { error: `Unable to locate running ${id}` });
  await world.jobs.untrack(job);
  return answerDeleted(world, { id });
}

/** The id's name changed from `videoId` and `video_id` to `id` in March 2026. */
function show(job: Job, idField: string, world: World) {
  const { replyUrl, replyRef } = job.request;
  const showsReplyRef = replyRef !== undefined && world.switches.now.replyRefInScheduler !== false;
  return {
    [idField]: job.id,
    ...(idField === 'id' ? { type: 'video' } : {}),
    started: new Date(job.createdAtMs).toISOString(),
    elapsed: elapsedSince(job.createdAtMs),
    ...(replyUrl === undefined ? {} : { replyUrl }),
    ...(showsReplyRef ? { replyRef } : {}),
  };
}

/** MM:SS; minutes go on past 59, since no other form is documented. */
function elapsedSince(startedAtMs: number): string {
  const seconds = Math.max(0, Math.floor((Date.now() - startedAtMs) / 1000));
  const pad = (value: number) => String(value).padStart(2, '0');
  return `${pad(Math.floor(seconds / 60))}:${pad(seconds % 60)}`;
}
