import type { Database } from '../../database/connect.ts';
import type { Jobs } from '../../database/jobs.ts';
import type { Log } from '../../log.ts';
import type { Upstream } from '../../upstream/client.ts';
import type { AccountService } from '../accounts/service.ts';
import type { UploadService } from '../uploads/service.ts';
import type { VideoService } from '../videos/service.ts';
import type { VoiceService } from '../voices/service.ts';
import type { WebhookService } from '../webhooks/service.ts';

/** What the functions of this slice work with. */
export type LipsyncDependencies = {
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
  /** The `replyUrl` to which the upstream sends callbacks about a lip-sync. */
  readonly callbackUrl: (lipsyncId: string) => string;
  readonly limits: {
    /** Per owner in 24 hours. Null = no limit. */
    readonly perDay: number | null;
    /** Unfinished ones per owner. Null = no limit. */
    readonly inFlight: number | null;
    /** Waiting, all owners together. */
    readonly queue: number;
  };
  readonly timing: {
    readonly pollMs: number;
    readonly upstreamTimeoutMs: number;
    /** A lip-sync without an end, or without a trace of its POST, FAILS after this time. */
    readonly maxJobMs: number;
    /** How long a job is expected to take until one of its kind has finished. */
    readonly defaultJobMs: number;
  };
  /** Shorter intervals of the background work, for tests. */
  readonly intervals?:
    | {
        /** How late free slots and deadlines are noticed if no notification arrives. Default 1 s. */
        readonly tickMs?: number;
        /** A lip-sync is reconciled at most once per this interval, however many callbacks come. Default 1 s. */
        readonly callbackMs?: number;
      }
    | undefined;
  /** POSTs under way in this process, by lip-sync id. Shutdown waits for them. */
  readonly submissions: Map<string, Promise<unknown>>;
  /** Aborted at shutdown: no POST starts from then on. */
  readonly stopping: AbortSignal;
};

/** How long a claim may go without an answer: the timeout of a POST and a margin. */
export function leaseMs(deps: LipsyncDependencies): number {
  return deps.timing.upstreamTimeoutMs + 10_000;
}

export function addMs(at: Date, ms: number): Date {
  return new Date(at.getTime() + ms);
}
