import type { Database } from '../../database/connect.ts';
import type { Jobs } from '../../database/jobs.ts';
import type { Log } from '../../log.ts';
import type { Upstream } from '../../upstream/client.ts';
import type { AccountService } from '../accounts/service.ts';
import type { UploadService } from '../uploads/service.ts';
import type { VideoService } from '../videos/service.ts';
import type { VoiceService } from '../voices/service.ts';
import type { WebhookService } from '../webhooks/service.ts';

/** What the verbs of this slice work with. */
export type Engine = {
  readonly db: Database;
  readonly jobs: Jobs;
  readonly upstream: Upstream;
  readonly accounts: AccountService;
  readonly videos: VideoService;
  readonly voices: VoiceService;
  readonly uploads: UploadService;
  readonly webhooks: Pick<WebhookService, 'checkUrl' | 'enqueue'>;
  readonly log: Log;
  readonly now: () => Date;
  /** Where the upstream tells us that a lip-sync moved. */
  readonly callbackUrl: (lipsyncId: string) => string;
  readonly limits: {
    /** Null = no limit. Per owner. */
    readonly perDay: number | null;
    readonly inFlight: number | null;
    /** Waiting, all owners together. */
    readonly queue: number;
  };
  readonly timing: {
    readonly pollMs: number;
    readonly upstreamTimeoutMs: number;
    /** After this long without an end, or without a trace of a POST whose outcome is unknown, it has failed. */
    readonly maxJobMs: number;
    /** What a job is expected to take until one of its kind has finished. */
    readonly firstGuessMs: number;
  };
  /** POSTs under way in this process: a stop waits for them. */
  readonly submissions: Map<string, Promise<unknown>>;
  /** Aborted when the process stops: nothing is sent from then on, and what is asked for waits for the next start. */
  readonly stopping: AbortSignal;
};

/** How long a claim may go without an answer: the POST's own bound and some air. */
export function leaseMs(engine: Engine): number {
  return engine.timing.upstreamTimeoutMs + 10_000;
}

export function later(at: Date, ms: number): Date {
  return new Date(at.getTime() + ms);
}
