import { Hono } from 'hono';
import { ApiError, accountBusy, PROVIDER_LIMIT } from '../api-error.ts';
import { type Phrase, readPhrases } from '../faults/phrases.ts';
import { chooseAccount, isUntracked } from '../jobs/choose-account.ts';
import type { Job, LipsyncRequest } from '../jobs/job.ts';
import { parseLipsync } from '../jobs/lipsync-request.ts';
import { formatVideoId, parseVideoId } from '../jobs/video-id.ts';
import type { SandboxState } from '../state.ts';
import { type Account, priceOf } from '../storage/accounts.ts';
import { readFields } from './body.ts';
import { cutConnection, neverAnswer } from './connection.ts';
import type { SandboxContext, SandboxEnv } from './context.ts';
import { jsonResponse, textResponse } from './responses.ts';

export const lipsyncRoutes = new Hono<SandboxEnv>().post('/videos/lipsync', createLipsync);

async function createLipsync(c: SandboxContext): Promise<Response> {
  const { state } = c.env;
  const request = parseLipsync(await readFields(c), state.profile());
  const { found, spoken } = readPhrases(request.prompt ?? '');
  throwNextStatus(state);
  const active = found.filter((phrase) => isActive(state, phrase, request));
  const refusal = active.find((phrase) => phrase.refuses !== undefined)?.refuses;
  if (refusal !== undefined) return refuse(c, refusal, request);

  // Synchronous until the job is in the store, so that two requests can't acquire the last slot.
  const account = chooseAccount(request, state);
  const job = makeJob({ request, spoken, found }, account, state);
  account.credits -= job.credits;
  try {
    await state.jobs.add(job);
  } catch (error) {
    account.credits += job.credits;
    throw error;
  }
  state.accounts.saveSoon();
  await state.callbacks.onAccepted(job);
  if (active.some((phrase) => phrase.startsOutage)) {
    c.env.outgoing.once('close', () => state.startOutage());
  }
  return withheldResponse(c, active) ?? jsonResponse(200, acceptance(job, state));
}

function acceptance(job: Job, state: SandboxState) {
  const showsCost = state.switches.current.costCredits ?? state.profile() === '2026';
  const cost = showsCost ? { cost_credits: job.credits } : {};
  return { video_id: job.id, ...cost };
}

function throwNextStatus(state: SandboxState) {
  const [status, ...rest] = state.switches.current.statusNext ?? [];
  if (status === undefined) return;
  state.switches.set({ statusNext: rest });
  throw new ApiError(status);
}

/** A phrase that refuses the request or withholds its answer has effect once per `replyRef`. */
function isActive(state: SandboxState, phrase: Phrase, request: LipsyncRequest): boolean {
  if (phrase.jobEffects || request.replyRef === undefined) return true;
  const key = `${phrase.phrase} ${request.replyRef}`;
  const isFirst = !state.usedPhrases.has(key);
  state.usedPhrases.add(key);
  return isFirst;
}

function refuse(
  c: SandboxContext,
  refusal: NonNullable<Phrase['refuses']>,
  request: LipsyncRequest,
): Response {
  switch (refusal) {
    case 'account-busy': {
      const email = parseVideoId(request.videoId ?? '')?.email ?? request.email ?? '';
      const maxJobs = request.maxJobs ?? c.env.state.accounts.find(email)?.maxJobs ?? 1;
      throw new ApiError(429, accountBusy(email, maxJobs));
    }
    case 'provider-limit':
      throw new ApiError(429, PROVIDER_LIMIT);
    case 'html':
      return textResponse(200, '<!doctype html><title>One moment</title>', {
        'content-type': 'text/html; charset=utf-8',
      });
    case 'empty':
      return textResponse(200, '');
    case 'cut':
      return cutConnection(c);
    default:
      throw new ApiError(refusal);
  }
}

/** What is sent in place of the answer that names the job. */
function withheldResponse(c: SandboxContext, active: Phrase[]): Response | undefined {
  const { switches } = c.env.state;
  const withholds = active.find((phrase) => phrase.withholds)?.withholds;
  if (withholds === 'id') return jsonResponse(200, {});
  if (withholds === 'answer-cut' || (!withholds && switches.consume('cutNext'))) {
    return cutConnection(c);
  }
  if (withholds === 'answer-hang' || switches.consume('hangNext')) return neverAnswer(c);
  return undefined;
}

function makeJob(
  from: { request: LipsyncRequest; spoken: string; found: Phrase[] },
  account: Account,
  state: SandboxState,
): Job {
  const number = state.jobs.nextNumber();
  const now = Date.now();
  return {
    id: formatVideoId(state.userId, account.email, number),
    number,
    email: account.email,
    request: from.request,
    spoken: from.spoken,
    effects: Object.assign({}, ...from.found.map((phrase) => phrase.jobEffects ?? {})),
    status: 'QUEUED',
    createdAtMs: now,
    changedAtMs: now,
    isTracked: !isUntracked(from.request),
    isMuted: false,
    credits: priceOf(from.request),
    isAnnounced: false,
  };
}
