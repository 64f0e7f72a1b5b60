import { z } from 'zod';
import { type Failure, NotFoundError, UpstreamUnavailableError } from '../../errors.ts';
import type { ReadOptions, Upstream } from '../../upstream/client.ts';
import {
  lenientId,
  lenientList,
  lenientNumber,
  lenientText,
  readItems,
} from '../../upstream/lenient-shapes.ts';
import { rawSegment } from '../../upstream/path.ts';

/** Requires exactly one of `videoId` and `videoPath`, and one of `audioPath` and `prompt`; not checked here. */
export type PostLipsyncInput = {
  videoId?: string | undefined;
  videoPath?: string | undefined;
  audioPath?: string | undefined;
  /** At most 200 characters. */
  prompt?: string | undefined;
  speakerId?: string | undefined;
  keepOriginalSound?: boolean | undefined;
  offPeak?: boolean | undefined;
  /** The account to use; only sent with `videoPath`, since a video id names its account. */
  email?: string | undefined;
  replyUrl: string;
  replyRef: string;
  /** 1…8 */
  maxJobs?: number | undefined;
};

/** `rejected` and `not-sent` cost nothing. After `unknown` a job may run and be charged, so the POST is never repeated. */
export type PostOutcome =
  | { kind: 'accepted'; upstreamVideoId: string; creditsCharged: number | null }
  | { kind: 'rejected'; failure: Failure }
  | { kind: 'not-sent'; failure: UpstreamUnavailableError }
  | { kind: 'unknown'; failure: UpstreamUnavailableError };

export type RunningJob = { upstreamVideoId: string; replyRef: string | null };

/** `available` is not always `maxJobs` minus `executing`: the documented example has 8, 3 and 2. */
type AccountCapacity = {
  email: string;
  maxJobs: number | null;
  executing: number | null;
  available: number | null;
};

export type SchedulerLoad = { executing: RunningJob[]; accounts: AccountCapacity[] };

// The documented rejections. With any other status a job may have been started: also 5xx, and 403 and 409, which the
// documents of this API do not mention.
const rejectionStatuses: ReadonlySet<number> = new Set([400, 401, 402, 404, 412, 422, 429, 596]);

const acceptedBody = z.object({ video_id: lenientId, cost_credits: lenientNumber });

// The name of the id differs between endpoints, and changed over the years: videoId, video_id, id.
const runningJob = z
  .object({ videoId: lenientId, video_id: lenientId, id: lenientId, replyRef: lenientText })
  .transform((job, context): RunningJob => {
    const upstreamVideoId = job.videoId ?? job.video_id ?? job.id;
    if (upstreamVideoId === null) {
      context.addIssue({ code: 'custom', message: 'The id is missing.' });
      return z.NEVER;
    }
    return { upstreamVideoId, replyRef: job.replyRef };
  });

const accountCapacity = z.object({
  email: z.string().min(1),
  maxJobs: lenientNumber,
  executing: lenientNumber,
  available: lenientNumber,
});

const scheduled = lenientList('data', 'executing');

const capacity = z
  .object({ executing: z.array(z.unknown()).nullish(), available: z.array(z.unknown()).nullish() })
  .refine((body) => body.executing ?? body.available, 'Both lists are missing.');

/** POST /videos/lipsync: starts a job. Sends at most one request. Doesn't throw. */
export async function postLipsync(
  upstream: Upstream,
  input: PostLipsyncInput,
): Promise<PostOutcome> {
  const outcome = await upstream.postOnce('/videos/lipsync', toWire(input));
  if (outcome.kind !== 'answered') {
    return outcome;
  }
  if (outcome.failure === null) {
    const accepted = acceptedBody.safeParse(outcome.body).data;
    return accepted?.video_id
      ? {
          kind: 'accepted',
          upstreamVideoId: accepted.video_id,
          creditsCharged: accepted.cost_credits,
        }
      : { kind: 'unknown', failure: new UpstreamUnavailableError('INVALID_ANSWER', false) };
  }
  if (rejectionStatuses.has(outcome.status)) {
    return { kind: 'rejected', failure: outcome.failure };
  }
  const isServerError = outcome.status >= 500 && outcome.status <= 599;
  const reason = isServerError ? 'SERVER_ERROR' : 'UNKNOWN_STATUS';
  return { kind: 'unknown', failure: new UpstreamUnavailableError(reason, false) };
}

/** GET /scheduler/: the jobs that useapi tracks, without off-peak jobs and jobs of PixVerse's website. */
export async function listScheduled(
  upstream: Upstream,
  options: ReadOptions = {},
): Promise<RunningJob[]> {
  const jobs = await upstream.read({ path: '/scheduler/', schema: scheduled }, options);
  return readJobs(upstream, jobs);
}

/** GET /scheduler/available: the same jobs, and the capacity of each account. */
export async function listAvailable(
  upstream: Upstream,
  options: ReadOptions = {},
): Promise<SchedulerLoad> {
  const path = '/scheduler/available';
  const body = await upstream.read({ path, schema: capacity }, options);
  return {
    executing: readJobs(upstream, body.executing ?? []),
    accounts: readItems(body.available ?? [], accountCapacity, (dropped) =>
      upstream.log.debug({ path, dropped }, 'upstream accounts without an e-mail were dropped'),
    ),
  };
}

/** DELETE /scheduler/{id}: frees the slot. The job continues and is charged. Untracked ids (404) are ignored. */
export async function stopTracking(upstream: Upstream, upstreamVideoId: string): Promise<void> {
  try {
    const id = rawSegment(upstreamVideoId, 'The video');
    await upstream.write({ method: 'DELETE', path: `/scheduler/${id}` });
  } catch (thrown) {
    if (!(thrown instanceof NotFoundError)) {
      throw thrown;
    }
  }
}

function readJobs(upstream: Upstream, jobs: unknown[]): RunningJob[] {
  return readItems(jobs, runningJob, (dropped) =>
    upstream.log.debug(
      { path: '/scheduler/', dropped },
      'upstream jobs without an id were dropped',
    ),
  );
}

// JSON.stringify leaves out undefined properties.
function toWire(input: PostLipsyncInput) {
  return {
    video_id: input.videoId,
    video_path: input.videoPath,
    audio_path: input.audioPath,
    prompt: input.prompt,
    speaker_id: toSpeakerId(input.speakerId),
    original_sound_switch: input.keepOriginalSound,
    off_peak_mode: input.offPeak,
    email: input.videoPath === undefined ? undefined : input.email,
    replyUrl: input.replyUrl,
    replyRef: input.replyRef,
    maxJobs: input.maxJobs,
  };
}

/** This endpoint expects a number; the list of voices has strings. Other values (`auto`?) are passed on unchanged. */
function toSpeakerId(speakerId: string | undefined): string | number | undefined {
  return speakerId !== undefined && /^\d{1,15}$/.test(speakerId) ? Number(speakerId) : speakerId;
}
