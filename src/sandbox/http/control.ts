import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { type Answer, answerError, answerJson, Refusal } from './responses.ts';
import { parseObject, readBody } from './body.ts';
import type { FinalStatus, Job } from '../jobs/job.ts';
import type { World } from '../state.ts';

/*
 * The control of the sandbox, for tests: `/_sandbox/…` on the sandbox's own port, outside the API
 * base and without a token. Nothing like it exists upstream.
 *
 *   GET    /_sandbox/switches             the switches that are set, with what is left of counted ones
 *   PUT    /_sandbox/switches             sets those given and leaves the others; null turns one off
 *   DELETE /_sandbox/switches             turns all off
 *   GET    /_sandbox/requests             the last 1000 requests to the API, oldest first
 *   DELETE /_sandbox/requests             forgets them
 *   GET    /_sandbox/jobs                 { jobs, accounts }: every job, and each account's use of slots
 *   POST   /_sandbox/jobs/{id}/finish     { status: COMPLETED | FAILED | MODERATED }: ends it now
 *   POST   /_sandbox/reset                as on the first start: no jobs, uploads, results, switches
 *
 * The switches are described where they are defined, in switches.ts.
 */
const PREFIX = '/_sandbox/';

/** Null when the path is not one of the control's. */
export async function answerControl(
  request: IncomingMessage,
  rawPath: string,
  world: World,
): Promise<Answer | null> {
  if (!rawPath.startsWith(PREFIX)) return null;
  try {
    keepBrowsersOut(request);
    const [name = '', id = '', action = ''] = rawPath.slice(PREFIX.length).split('/');
    const work = `${request.method} ${[name, id && ':id', action].filter(Boolean).join('/')}`;
    const answer = await act(work, { request, id }, world);
    return answer ?? answerError(404, `No such control: ${work}`, false);
  } catch (error) {
    if (error instanceof z.ZodError) return answerError(400, z.prettifyError(error), false);
    if (error instanceof Refusal) return answerError(error.status, error.message, false);
    throw error;
  }
}

/** Any web page may make a browser POST to a loopback port; a test has no `Origin`. */
function keepBrowsersOut(request: IncomingMessage) {
  const site = request.headers['sec-fetch-site'];
  if (request.headers.origin !== undefined || (site !== undefined && site !== 'none')) {
    throw new Refusal(403, 'The control is not for browsers.');
  }
}

async function act(
  work: string,
  { request, id }: { request: IncomingMessage; id: string },
  world: World,
): Promise<Answer | null> {
  switch (work) {
    case 'GET switches':
      return answerJson(200, world.switches.now);
    case 'PUT switches':
      world.switches.change(await readObject(request));
      return answerJson(200, world.switches.now);
    case 'DELETE switches':
      world.switches.clear();
      return answerJson(200, {});
    case 'GET requests':
      return answerJson(200, world.journal.list());
    case 'DELETE requests':
      world.journal.clear();
      return answerJson(200, []);
    case 'GET jobs':
      return answerJson(200, describeJobs(world));
    case 'POST jobs/:id/finish':
      return finishJob(id, await readObject(request), world);
    case 'POST reset':
      await reset(world);
      return answerJson(200, {});
    default:
      return null;
  }
}

async function readObject(request: IncomingMessage) {
  return parseObject((await readBody(request)).toString('utf8'));
}

async function finishJob(id: string, body: object, world: World): Promise<Answer> {
  const statuses = ['COMPLETED', 'FAILED', 'MODERATED'] satisfies FinalStatus[];
  const { status } = z.strictObject({ status: z.enum(statuses) }).parse(body);
  const job = world.jobs.find(decodeURIComponent(id));
  if (!job) throw new Refusal(404, 'No such job.');
  await world.jobs.finish(job, status);
  return answerJson(200, describeJob(job));
}

/** A job in the API's words for ids, statuses and references. */
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
    twists: job.twists,
    isTracked: job.isTracked,
    isAnnounced: job.isAnnounced,
    credits: job.credits,
    result: job.result,
    reason: job.reason,
  };
}

function describeJobs(world: World) {
  const accounts = world.accounts.list().map((account) => [
    account.email,
    {
      maxJobs: account.maxJobs,
      executing: world.jobs.executing(account.email).length,
      highWater: world.jobs.highWater(account.email),
      credits: account.credits,
    },
  ]);
  return {
    jobs: [...world.jobs.list()].map(describeJob),
    accounts: Object.fromEntries(accounts),
  };
}

async function reset(world: World) {
  world.switches.clear();
  world.firedPhrases.clear();
  await world.jobs.reset();
  await world.accounts.reset();
  await world.uploads.clear();
  await world.results.clear();
  world.journal.clear();
}
