import { Hono } from 'hono';
import type { Job } from '../jobs/job.ts';
import type { SandboxState } from '../state.ts';
import type { SandboxContext, SandboxEnv } from './context.ts';
import { readRawId } from './parameters.ts';
import { deletedResponse, jsonResponse } from './responses.ts';

export const schedulerRoutes = new Hono<SandboxEnv>()
  .get('/scheduler', getExecuting)
  .get('/scheduler/available', getAvailable)
  .delete('/scheduler/:id', stopTracking);

/** A bare array. */
function getExecuting(c: SandboxContext): Response {
  const { state } = c.env;
  const idField = state.profile() === '2024-12' ? 'videoId' : 'id';
  return jsonResponse(200, listExecuting(state, idField));
}

function getAvailable(c: SandboxContext): Response {
  const { state } = c.env;
  const idField = state.profile() === '2024-12' ? 'video_id' : 'id';
  const available = state.accounts.list().map(({ email, maxJobs }) => {
    const executing = state.jobs.executing(email).length;
    return { email, maxJobs, executing, available: Math.max(0, maxJobs - executing) };
  });
  return jsonResponse(200, { executing: listExecuting(state, idField), available });
}

/** Releases the slot and stops the callbacks. The job itself continues and is charged. */
async function stopTracking(c: SandboxContext): Promise<Response> {
  const { jobs } = c.env.state;
  const id = readRawId(c);
  const job = jobs.find(id);
  const isTracked = job && jobs.executing(job.email).includes(job);
  // Without `code`, as on the sibling page of another service.
  if (!isTracked) return jsonResponse(404, { error: `Unable to locate running ${id}` });
  await jobs.untrack(job);
  return deletedResponse(c, { id });
}

function listExecuting(state: SandboxState, idField: string) {
  return state.accounts
    .list()
    .flatMap((account) => state.jobs.executing(account.email))
    .map((job) => itemOf(job, idField, state));
}

/** The id's name changed from `videoId` and `video_id` to `id` in March 2026. */
function itemOf(job: Job, idField: string, state: SandboxState) {
  const { replyUrl, replyRef } = job.request;
  const showsReplyRef =
    replyRef !== undefined && state.switches.current.replyRefInScheduler !== false;
  return {
    [idField]: job.id,
    ...(idField === 'id' ? { type: 'video' } : {}),
    started: new Date(job.createdAtMs).toISOString(),
    elapsed: elapsedSince(job.createdAtMs),
    ...(replyUrl === undefined ? {} : { replyUrl }),
    ...(showsReplyRef ? { replyRef } : {}),
  };
}

/** MM:SS. Minutes continue past 59, since no other form is documented. */
function elapsedSince(startedAtMs: number): string {
  const seconds = Math.max(0, Math.floor((Date.now() - startedAtMs) / 1000));
  const pad = (value: number) => String(value).padStart(2, '0');
  return `${pad(Math.floor(seconds / 60))}:${pad(seconds % 60)}`;
}
