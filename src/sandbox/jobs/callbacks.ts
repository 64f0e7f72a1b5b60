import { isFinal, type Job, type Status } from './job.ts';
import type { CallbackMode } from '../faults/job-effects.ts';

type Body = Record<string, unknown>;

export type Announcer = {
  /** Before the request that made the job is answered. Waits for the `early` callback, if one is asked for. */
  accepted(job: Job): Promise<void>;
  generating(job: Job): Promise<void>;
  /** Resolves when every callback of the job has been tried. */
  ended(job: Job): Promise<void>;
  /** Gives up what is under way; a job whose last callback was not tried is announced by the next start. */
  close(): void;
};

const TIMEOUT_MS = 5000;
const MANY = 5;

/** Tells callers about their jobs: unsigned JSON, one try each, in order per job unless asked otherwise. */
export function createAnnouncer(options: {
  modeOf(job: Job): CallbackMode;
  /** What a callback says, as if the job had this status. */
  bodyOf(job: Job, status: Status): Body;
}): Announcer {
  const closing = new AbortController();
  const tails = new Map<string, Promise<void>>();

  /** Each round is posted at once, the next after it. */
  function send(job: Job, rounds: Body[][]): Promise<void> {
    const url = job.request.replyUrl;
    if (!url || job.isMuted || rounds.length === 0) return tails.get(job.id) ?? Promise.resolve();
    const done = (tails.get(job.id) ?? Promise.resolve()).then(async () => {
      for (const round of rounds) {
        await Promise.all(round.map((body) => post(url, body, closing.signal)));
      }
    });
    tails.set(job.id, done);
    return done;
  }

  return {
    async accepted(job) {
      if (options.modeOf(job) === 'early') await send(job, [[options.bodyOf(job, 'QUEUED')]]);
    },
    generating(job) {
      const body = options.bodyOf(job, 'GENERATING');
      const mode = options.modeOf(job);
      if (mode === 'forged') return send(job, lies(job, options.bodyOf(job, 'COMPLETED')));
      if (mode === 'many') return send(job, Array(MANY).fill([body]));
      if (mode === 'doubled') return send(job, [[body, body]]);
      return send(job, mode === 'normal' || mode === 'early' ? [[body]] : []);
    },
    async ended(job) {
      const body = options.bodyOf(job, job.status);
      const mode = options.modeOf(job);
      await send(job, lastRounds(mode, { job, body, bodyOf: options.bodyOf }));
      tails.delete(job.id);
    },
    close: () => closing.abort(),
  };
}

function lastRounds(
  mode: CallbackMode,
  about: { job: Job; body: Body; bodyOf(job: Job, status: Status): Body },
): Body[][] {
  const { job, body, bodyOf } = about;
  if (mode === 'none') return [];
  if (mode === 'doubled') return [[body, body]];
  if (mode === 'reordered') {
    return [[body], [bodyOf(job, 'GENERATING')], [bodyOf(job, 'QUEUED')]];
  }
  if (mode === 'forged') return lies(job, bodyOf(job, opposite(job.status)));
  return [[body]];
}

function opposite(status: Status): Status {
  return isFinal(status) && status !== 'COMPLETED' ? 'COMPLETED' : 'FAILED';
}

/** The right video with a wrong status and a foreign url, and a video that does not exist. */
function lies(job: Job, body: Body): Body[][] {
  const url = 'http://198.51.100.7/forged.mp4';
  const stranger = job.id.replace(/\d+$/, '999999999999999');
  return [[{ ...body, url }], [{ ...body, url, video_id: stranger }]];
}

/** Nobody documents a second try, so there is none: what goes wrong here is forgotten. */
async function post(url: string, body: Body, closing: AbortSignal) {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'lipsync-sandbox' },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.any([closing, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.body?.cancel();
  } catch {
    // A receiver that is gone is the receiver's business.
  }
}
