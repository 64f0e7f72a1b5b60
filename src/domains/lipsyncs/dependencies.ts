import type { Database } from '../../database/connect.ts';
import type { Jobs } from '../../database/jobs.ts';
import type { Log } from '../../log.ts';
import type { Meter } from '../../metrics/meter.ts';
import type { Tracer } from '../../tracing/tracer.ts';
import type { Upstream } from '../../upstream/client.ts';
import type { AccountService } from '../accounts/service.ts';
import type { UploadService } from '../uploads/service.ts';
import type { VideoService } from '../videos/service.ts';
import type { VoiceService } from '../voices/service.ts';
import type { WebhookService } from '../webhooks/service.ts';
import type { CreditPrice } from './credits/prices.ts';

/** The services, limits and settings that the functions of this slice use. */
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
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly now: () => Date;
  /** The `replyUrl` to which the upstream sends callbacks about a lip-sync. */
  readonly callbackUrl: (lipsyncId: string) => string;
  readonly limits: {
    /** Lip-syncs per owner in 24 hours. Null = no limit. */
    readonly perDay: number | null;
    /** Unfinished lip-syncs per owner. Null = no limit. */
    readonly inFlight: number | null;
    /** Waiting lip-syncs, all owners together. */
    readonly queue: number;
  };
  /** What jobs cost; the first entry that fits a job is used. Empty = costs are estimated from past jobs alone. */
  readonly creditPrices: readonly CreditPrice[];
  readonly timing: {
    readonly pollMs: number;
    readonly upstreamTimeoutMs: number;
    /** How long the job of a POST without a clear answer is searched for. */
    readonly maxUnknownMs: number;
    /** A lip-sync FAILS if its job has not ended, or was not found, after this time. */
    readonly maxJobMs: number;
    /** The expected duration of a job while no comparable job has finished. */
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

/** How long a claim is valid without an answer to its POST: the timeout of a POST and a margin. */
export function leaseMs(deps: LipsyncDependencies): number {
  return deps.timing.upstreamTimeoutMs + 10_000;
}

export function addMs(at: Date, ms: number): Date {
  return new Date(at.getTime() + ms);
}
