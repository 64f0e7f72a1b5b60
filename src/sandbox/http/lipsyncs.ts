import { type Account, LIPSYNC_CREDITS } from '../storage/accounts.ts';
import {
  type Answer,
  answerError,
  answerJson,
  errorText,
  PROVIDER_LIMIT,
  type Reply,
} from './responses.ts';
import { type Call, readFields } from './body.ts';
import { busyText, chooseAccount, isUntracked } from '../jobs/choose-account.ts';
import { type Job, type LipsyncRequest, readVideoId } from '../jobs/job.ts';
import { readLipsync } from './lipsync-input.ts';
import { type Phrase, readPhrases } from '../faults/phrases.ts';
import { videoIdOf } from '../jobs/video.ts';
import type { Route, World } from '../state.ts';

export const lipsyncRoutes: Route[] = [
  { method: 'POST', path: '/videos/lipsync', handle: createLipsync },
];

async function createLipsync(call: Call, world: World): Promise<Reply> {
  const request = readLipsync(await readFields(call), world.profile());
  const { found, spoken } = readPhrases(request.prompt ?? '');
  const status = takeStatus(world);
  if (status !== undefined) return answerError(status, errorText(status), true);
  const fresh = found.filter((phrase) => isFresh(world, phrase, request));
  const refusing = fresh.find((phrase) => phrase.refuses !== undefined);
  if (refusing) return refuse(refusing, request, world);

  // From here to the job on the board nothing waits, so two requests can't share the last slot.
  const account = chooseAccount(request, world);
  const job = makeJob({ request, spoken, found }, account, world);
  account.credits -= job.credits;
  try {
    await world.jobs.add(job);
  } catch (error) {
    account.credits += job.credits;
    throw error;
  }
  world.accounts.saveSoon();
  await world.announcer.accepted(job);
  return hideAnswer(fresh, world) ?? answerJson(200, acceptance(job, world));
}

function acceptance(job: Job, world: World) {
  const cost = world.switches.now.costCredits ? { cost_credits: job.credits } : {};
  return { video_id: job.id, ...cost };
}

function takeStatus(world: World): number | undefined {
  const [status, ...rest] = world.switches.now.statusNext ?? [];
  if (status !== undefined) world.switches.change({ statusNext: rest });
  return status;
}

/** Whether it may still fire: those that refuse or break do so once per `replyRef`. */
function isFresh(world: World, phrase: Phrase, request: LipsyncRequest): boolean {
  if (!(phrase.refuses || phrase.hides) || request.replyRef === undefined) return true;
  const key = `${phrase.name} ${request.replyRef}`;
  const isFirst = !world.firedPhrases.has(key);
  world.firedPhrases.add(key);
  return isFirst;
}

function refuse(phrase: Phrase, request: LipsyncRequest, world: World): Reply {
  const { refuses } = phrase;
  if (typeof refuses === 'number') return answerError(refuses, errorText(refuses), true);
  if (refuses === 'account-busy') {
    const email = readVideoId(request.videoId ?? '')?.email ?? request.email ?? '';
    return busy(email, request.maxJobs ?? world.accounts.find(email)?.maxJobs ?? 1);
  }
  if (refuses === 'provider-limit') return answerError(429, PROVIDER_LIMIT, true);
  if (refuses === 'html') {
    const headers = { 'content-type': 'text/html; charset=utf-8' };
    return { status: 200, headers, body: '<!doctype html><title>One moment</title>' };
  }
  return refuses === 'empty' ? { status: 200 } : 'cut';
}

function busy(email: string, maxJobs: number): Answer {
  return answerError(429, busyText(email, maxJobs), true);
}

function hideAnswer(fresh: Phrase[], world: World): Reply | undefined {
  const hides = fresh.find((phrase) => phrase.hides)?.hides;
  if (hides === 'no-id') return answerJson(200, {});
  if (hides) return hides;
  if (world.switches.take('cutNext')) return 'cut';
  return world.switches.take('hangNext') ? 'hang' : undefined;
}

function makeJob(
  from: { request: LipsyncRequest; spoken: string; found: Phrase[] },
  account: Account,
  world: World,
): Job {
  const number = world.jobs.nextNumber();
  const now = Date.now();
  return {
    id: videoIdOf(world.userId, account.email, number),
    number,
    email: account.email,
    request: from.request,
    spoken: from.spoken,
    twists: Object.assign({}, ...from.found.map((phrase) => phrase.twists ?? {})),
    status: 'QUEUED',
    createdAtMs: now,
    changedAtMs: now,
    isTracked: !isUntracked(from.request),
    isMuted: false,
    // "up to 50 % credits saved"
    credits: from.request.offPeak ? LIPSYNC_CREDITS / 2 : LIPSYNC_CREDITS,
    isAnnounced: false,
  };
}
