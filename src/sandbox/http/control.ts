import { Hono, type MiddlewareHandler } from 'hono';
import { z } from 'zod';
import { ApiError } from '../api-error.ts';
import type { FinalStatus, Job } from '../jobs/job.ts';
import type { SandboxState } from '../state.ts';
import { readJsonObject } from './body.ts';
import type { SandboxContext, SandboxEnv } from './context.ts';
import { errorResponse, jsonResponse } from './responses.ts';

/** Any web page can make a browser POST to a loopback port. Tests send no `Origin`. */
const rejectBrowsers: MiddlewareHandler<SandboxEnv> = async (c, next) => {
  const site = c.req.header('sec-fetch-site');
  if (c.req.header('origin') !== undefined || (site !== undefined && site !== 'none')) {
    throw new ApiError(403, 'The control is not for browsers.');
  }
  await next();
};

/**
 * The control of the sandbox, for tests: `/_sandbox/…` on the sandbox's own port, outside the API base and without a
 * token. The upstream has nothing like it. The switches are described in `faults/switches.ts`.
 *
 *     GET    /_sandbox/switches           the switches that are on, with the rest of each count
 *     PUT    /_sandbox/switches           sets the given switches and keeps the others; null turns one off
 *     DELETE /_sandbox/switches           turns all off
 *     GET    /_sandbox/requests           the last 1000 requests to the API, oldest first
 *     DELETE /_sandbox/requests           forgets them
 *     GET    /_sandbox/jobs               { jobs, accounts }: every job, and the use of each account's slots
 *     POST   /_sandbox/jobs/{id}/finish   { status: COMPLETED | FAILED | MODERATED }: ends the job now
 *     POST   /_sandbox/reset              as at the first start: no jobs, uploads, results and switches
 */
export const controlRoutes = new Hono<SandboxEnv>()
  .onError((error, c) => {
    const isInvalid = error instanceof z.ZodError;
    return errorResponse(c, isInvalid ? new ApiError(400, z.prettifyError(error)) : error);
  })
  .use(rejectBrowsers)
  .get('/switches', (c) => jsonResponse(200, c.env.state.switches.current))
  .put('/switches', async (c) => {
    const { incoming, state } = c.env;
    state.switches.set(await readJsonObject(incoming));
    return jsonResponse(200, state.switches.current);
  })
  .delete('/switches', (c) => {
    c.env.state.switches.clear();
    return jsonResponse(200, {});
  })
  .get('/requests', (c) => jsonResponse(200, c.env.state.requestLog.list()))
  .delete('/requests', (c) => {
    c.env.state.requestLog.clear();
    return jsonResponse(200, []);
  })
  .get('/jobs', (c) => jsonResponse(200, describeJobs(c.env.state)))
  .post('/jobs/:id/finish', finishJob)
  .post('/reset', async (c) => {
    await reset(c.env.state);
    return jsonResponse(200, {});
  })
  .all('/*', (c) => {
    throw new ApiError(404, `No such control: ${c.req.method} ${c.req.path}`);
  });

async function finishJob(c: SandboxContext): Promise<Response> {
  const { incoming, state } = c.env;
  const statuses = ['COMPLETED', 'FAILED', 'MODERATED'] satisfies FinalStatus[];
  const body = await readJsonObject(incoming);
  const { status } = z.strictObject({ status: z.enum(statuses) }).parse(body);
  const job = state.jobs.find(c.req.param('id') ?? '');
  if (!job) throw new ApiError(404, 'No such job.');
  await state.jobs.finish(job, status);
  return jsonResponse(200, describeJob(job));
}

/** Ids, statuses and references have the same names as in the API. */
function describeJob(job: Job) {
  return {
    video_id: job.id,
    email: job.email,
    status: job.status,
    replyRef: job.request.replyRef,
    replyUrl: job.request.replyUrl,
    created_at: new Date(job.createdAtMs).toISOString(),
    request: job.request,
    spoken: job.spoken,
    effects: job.effects,
    isTracked: job.isTracked,
    isAnnounced: job.isAnnounced,
    credits: job.credits,
    result: job.result,
    reason: job.reason,
  };
}

function describeJobs(state: SandboxState) {
  const accounts = state.accounts.list().map((account) => [
    account.email,
    {
      maxJobs: account.maxJobs,
      executing: state.jobs.executing(account.email).length,
      highWater: state.jobs.highWater(account.email),
      credits: account.credits,
    },
  ]);
  return {
    jobs: [...state.jobs.list()].map(describeJob),
    accounts: Object.fromEntries(accounts),
  };
}

async function reset(state: SandboxState) {
  state.switches.clear();
  state.usedPhrases.clear();
  await state.jobs.reset();
  await state.accounts.reset();
  await state.uploads.clear();
  await state.results.clear();
  state.requestLog.clear();
}
