import type { CallbackMode } from '../faults/job-effects.ts';
import { isFinal, type Job, type Status } from './job.ts';

type Body = Record<string, unknown>;

/** Posts the callbacks of jobs: unsigned JSON, one attempt each, one after another per job unless a mode says otherwise. */
export type CallbackSender = {
  /** Called before the request that made the job is answered. Waits for the `early` callback where that is due. */
  onAccepted(job: Job): Promise<void>;
  onGenerating(job: Job): Promise<void>;
  /** Resolves when every callback of the job was tried. */
  onFinal(job: Job): Promise<void>;
  /** Aborts running callbacks. The next start sends the final callback of a job if it was not tried. */
  close(): void;
};

const TIMEOUT_MS = 5000;
const MANY = 5;

export function createCallbackSender(options: {
  modeOf(job: Job): CallbackMode;
  /** The body of a callback, as if the job had this status. */
  bodyOf(job: Job, status: Status): Body;
}): CallbackSender {
  const closing = new AbortController();
  const lastSends = new Map<string, Promise<void>>();

  /** The bodies of a round are posted at the same time, and a round begins after the one before. */
  function send(job: Job, rounds: Body[][]): Promise<void> {
    const url = job.request.replyUrl;
    const previous = lastSends.get(job.id) ?? Promise.resolve();
    if (!url || job.isMuted || rounds.length === 0) return previous;
    const done = previous.then(async () => {
      for (const round of rounds) {
        await Promise.all(round.map((body) => post(url, body, closing.signal)));
      }
    });
    lastSends.set(job.id, done);
    return done;
  }

  return {
    async onAccepted(job) {
      if (options.modeOf(job) === 'early') await send(job, [[options.bodyOf(job, 'QUEUED')]]);
    },
    onGenerating(job) {
      const body = options.bodyOf(job, 'GENERATING');
      const mode = options.modeOf(job);
      if (mode === 'forged') return send(job, forge(job, options.bodyOf(job, 'COMPLETED')));
      if (mode === 'many') return send(job, Array(MANY).fill([body]));
      if (mode === 'doubled') return send(job, [[body, body]]);
      return send(job, mode === 'normal' || mode === 'early' ? [[body]] : []);
    },
    async onFinal(job) {
      const bodyOf = (status: Status) => options.bodyOf(job, status);
      await send(job, finalRounds(options.modeOf(job), { job, bodyOf }));
      lastSends.delete(job.id);
    },
    close: () => closing.abort(),
  };
}

function finalRounds(
  mode: CallbackMode,
  { job, bodyOf }: { job: Job; bodyOf(status: Status): Body },
): Body[][] {
  const body = bodyOf(job.status);
  if (mode === 'none') return [];
  if (mode === 'doubled') return [[body, body]];
  if (mode === 'reordered') return [[body], [bodyOf('GENERATING')], [bodyOf('QUEUED')]];
  if (mode === 'forged') return forge(job, bodyOf(oppositeOf(job.status)));
  return [[body]];
}

function oppositeOf(status: Status): Status {
  return isFinal(status) && status !== 'COMPLETED' ? 'COMPLETED' : 'FAILED';
}

/** The job's video with a wrong status and a foreign url, then a video that does not exist. */
function forge(job: Job, body: Body): Body[][] {
  const url = 'http://198.51.100.7/forged.mp4';
  const unknownId = job.id.replace(/\d+$/, '999999999999999');
  return [[{ ...body, url }], [{ ...body, url, video_id: unknownId }]];
}

/** Never retried, and failures are ignored: no document mentions a second attempt. */
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
    // An unreachable receiver does not concern the job.
  }
}
