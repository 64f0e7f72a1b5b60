import type { JobEffects } from '../faults/job-effects.ts';

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

/** A validated lip-sync request. The prompt still contains its phrases. */
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

/** One accepted lip-sync, stored in `jobs/<number>.json`. */
export type Job = {
  /** See `video-id.ts`. */
  id: string;
  number: string;
  email: string;
  request: LipsyncRequest;
  /** The prompt without its phrases. */
  spoken: string;
  effects: JobEffects;
  status: Status;
  createdAtMs: number;
  changedAtMs: number;
  /** Listed in the scheduler, with a slot of the account. False for off-peak jobs and after DELETE /scheduler/{id}. */
  isTracked: boolean;
  /** True after DELETE /scheduler/{id}: no more callbacks. */
  isMuted: boolean;
  credits: number;
  /** The final callback was tried, or none is due. */
  isAnnounced: boolean;
  result?: JobResult;
  /** Why the job failed. Only the control API shows it: the upstream gives no reason. */
  reason?: string;
};

export type JobResult = {
  /** File name under `results/`. */
  file: string;
  width: number;
  height: number;
  durationSeconds: number;
};
