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

/** What starts a lip-sync. Exactly one of `videoId` and `videoPath`, and of `audioPath` and `prompt`: not checked here. */
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

/** Promise 1 of design.md: `refused` and `not-sent` cost nothing; `unknown` may be running and billed. */
export type LipsyncPost =
  | { kind: 'accepted'; upstreamVideoId: string; creditsCharged: number | null }
  | { kind: 'refused'; failure: Failure }
  | { kind: 'not-sent'; failure: UpstreamUnavailableError }
  | { kind: 'unknown'; failure: UpstreamUnavailableError };

export type RunningJob = { upstreamVideoId: string; replyRef: string | null };

/** `available` is not always `maxJobs` less `executing`: the documented example has 8, 3 and 2. */
type AccountCapacity = {
  email: string;
  maxJobs: number | null;
  executing: number | null;
  available: number | null;
};

export type Capacity = { executing: RunningJob[]; accounts: AccountCapacity[] };

// The documented refusals. All else may have started a job before it failed: also 5xx, and 403 and 409, which no page
// of this API mentions.
const refusals: ReadonlySet<number> = new Set([400, 401, 402, 404, 412, 422, 429, 596]);

const acceptance = z.object({ video_id: lenientId, cost_credits: lenientNumber });

// The id's name differs by endpoint and year: videoId, video_id, id.
const runningJob = z
  .object({ videoId: lenientId, video_id: lenientId, id: lenientId, replyRef: lenientText })
  .transform((job, context): RunningJob => {
    const upstreamVideoId = job.videoId ?? job.video_id ?? job.id;
    if (upstreamVideoId === null) {
      context.addIssue({ code: 'custom', message: 'There is no id.' });
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
  .refine((body) => body.executing ?? body.available, 'There is neither list.');

/** POST /videos/lipsync: starts a job, never twice for one call. Doesn't throw. */
export async function postLipsync(
  upstream: Upstream,
  input: PostLipsyncInput,
): Promise<LipsyncPost> {
  const outcome = await upstream.postOnce('/videos/lipsync', toWire(input));
  if (outcome.kind !== 'answered') {
    return outcome;
  }
  if (outcome.failure === null) {
    const accepted = acceptance.safeParse(outcome.body).data;
    return accepted?.video_id
      ? {
          kind: 'accepted',
          upstreamVideoId: accepted.video_id,
          creditsCharged: accepted.cost_credits,
        }
      : { kind: 'unknown', failure: new UpstreamUnavailableError('INVALID_ANSWER', false) };
  }
  if (refusals.has(outcome.status)) {
    return { kind: 'refused', failure: outcome.failure };
  }
  const isServerError = outcome.status >= 500 && outcome.status <= 599;
  const reason = isServerError ? 'SERVER_ERROR' : 'UNKNOWN_STATUS';
  return { kind: 'unknown', failure: new UpstreamUnavailableError(reason, false) };
}

/** GET /scheduler/: the jobs that useapi tracks. Off-peak jobs and those of the website are not among them. */
export async function listScheduled(
  upstream: Upstream,
  options: ReadOptions = {},
): Promise<RunningJob[]> {
  const jobs = await upstream.read({ path: '/scheduler/', schema: scheduled }, options);
  return readJobs(upstream, jobs);
}

/** GET /scheduler/available: the same jobs, and each account's room. */
export async function listAvailable(
  upstream: Upstream,
  options: ReadOptions = {},
): Promise<Capacity> {
  const path = '/scheduler/available';
  const body = await upstream.read({ path, schema: capacity }, options);
  return {
    executing: readJobs(upstream, body.executing ?? []),
    accounts: readItems(body.available ?? [], accountCapacity, (dropped) =>
      upstream.log.debug({ path, dropped }, 'upstream accounts without an e-mail'),
    ),
  };
}

/**
 * DELETE /scheduler/{id}: frees the slot. The job itself goes on and is charged. An id that isn't tracked (404) is fine.
 */
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
    upstream.log.debug({ path: '/scheduler/', dropped }, 'upstream jobs without an id'),
  );
}

// JSON.stringify leaves out what is undefined.
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

/** A number here, and a string in the list of voices. What isn't decimal (`auto`?) goes as it is, for the upstream to judge. */
function toSpeakerId(speakerId: string | undefined): string | number | undefined {
  return speakerId !== undefined && /^\d{1,15}$/.test(speakerId) ? Number(speakerId) : speakerId;
}
