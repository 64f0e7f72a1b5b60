import type { Twists } from '../faults/job-effects.ts';

export const statusCodes = {
  COMPLETED: 1,
  QUEUED: 5,
  MODERATED: 7,
  FAILED: 8,
  GENERATING: 10,
} as const;
export type Status = keyof typeof statusCodes;
export type FinalStatus = 'COMPLETED' | 'MODERATED' | 'FAILED';

export function isFinal(status: Status): status is FinalStatus {
  return status !== 'QUEUED' && status !== 'GENERATING';
}

/** A lip-sync request after validation. Exactly what was sent, phrases included. */
export type LipsyncRequest = {
  videoId?: string;
  videoPath?: string;
  audioPath?: string;
  prompt?: string;
  speakerId?: string;
  originalSound: boolean;
  offPeak: boolean;
  email?: string;
  replyUrl?: string;
  replyRef?: string;
  maxJobs?: number;
};

/** One accepted lip-sync, as it is kept in `jobs/<number>.json`. */
export type Job = {
  /** `user:<userid>-pixverse:<email>-video:<number>` */
  id: string;
  number: string;
  email: string;
  request: LipsyncRequest;
  /** The text without phrases. */
  spoken: string;
  twists: Twists;
  status: Status;
  createdAtMs: number;
  changedAtMs: number;
  /** In the scheduler and using a slot. Off-peak jobs never are, and DELETE /scheduler/{id} ends it. */
  isTracked: boolean;
  /** DELETE /scheduler/{id} also ends its callbacks. */
  isMuted: boolean;
  credits: number;
  /** The final callback has been tried, or none is due. */
  isAnnounced: boolean;
  result?: JobResult;
  /** Why it failed, for the control API; upstream tells nobody. */
  reason?: string;
};

export type JobResult = {
  /** File name under `results/`. */
  file: string;
  width: number;
  height: number;
  durationSeconds: number;
};

/** Reads the account out of a video id. An e-mail may hold `-`, so the last `-video:` counts. */
export function readVideoId(id: string): { email: string; number: string } | null {
  const match = /^user:\d+-pixverse:(.+)-video:(\d+)$/.exec(id);
  const [, email, number] = match ?? [];
  return email && number ? { email, number } : null;
}

/** A number that is the same for the same text on every start. */
export function stableNumber(text: string): number {
  let hash = 2_166_136_261;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 16_777_619) >>> 0;
  }
  return hash % 100_000_000;
}
