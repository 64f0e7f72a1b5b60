import type { SoundConverter } from '../../audio/sound-converter.ts';
import type { Database } from '../../database/connect.ts';
import type { Jobs } from '../../database/jobs.ts';
import type { Log } from '../../log.ts';
import type { Meter } from '../../metrics/meter.ts';
import type { Outbound } from '../../outbound/outbound.ts';
import type { OwnerSlotLimits } from '../../owner-slots.ts';
import type { Tracer } from '../../tracing/tracer.ts';
import type { Upstream } from '../../upstream/client.ts';

/** The bounds of a file that is fetched from a URL. */
export type ImportLimits = {
  readonly maxBytes: number;
  /** From the first request to the last byte, with all retries, not counting the wait for a slot to decode the file. */
  readonly timeoutMs: number;
  /** How long the server of the URL may send nothing. Default: 30 s. For tests. */
  readonly idleMs?: number | undefined;
  /** The first wait before a retry; it doubles each time. Default: 500 ms. For tests. */
  readonly retryMs?: number | undefined;
  /** Imports that have not ended: of all owners, of which one gets at most half. Default: 10,000. For tests. */
  readonly maxOpen?: number | undefined;
};

/** What the functions of this slice need. */
export type UploadDependencies = {
  readonly db: Database;
  readonly upstream: Upstream;
  readonly accounts: {
    /** The e-mail that POST /files requires if the upstream has more than one account. */
    pickForUpload(): Promise<string | undefined>;
  };
  /** Uploads that this process receives at the same time. Default: 256, and 64 of one owner. */
  readonly concurrency?: OwnerSlotLimits | undefined;
  /** The slowest that a client may send. Default: 60 kB in 30 seconds. For tests. */
  readonly minRate?: { bytes: number; inMs: number } | undefined;
  /**
   * Decodes sound that the upstream does not accept unchanged. Default: in worker threads, with their limits. For
   * tests.
   */
  readonly converter?: SoundConverter | undefined;
  /** Files that are kept on disk to be decoded. Default: 32, and 8 of one owner. For tests. */
  readonly decodings?: OwnerSlotLimits | undefined;
  /** Waiting uploads of one owner. Default: 10,000. For tests. */
  readonly maxWaiting?: number | undefined;
  /** How often the rows of arriving files are renewed. Default: 3 s, and never on the embedded database. For tests. */
  readonly leaseRenewalMs?: number | undefined;
  readonly jobs: Pick<Jobs, 'define' | 'send' | 'work'>;
  /** Decides which URLs can be imported. */
  readonly outbound: Outbound;
  readonly imports: ImportLimits;
  readonly now: () => Date;
  readonly log: Log;
  /** Default: nothing is measured. */
  readonly meter?: Meter | undefined;
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined;
  /** Without a trailing slash. A function, because the port may be unknown until the server listens. */
  readonly publicUrl: () => string;
  /** Signs the tokens that make upload URLs unguessable. */
  readonly tokens: {
    sign(id: string, expiresAt: Date): string;
    /** The id that a token was signed for, also after its expiry; null for an invalid token. */
    readId(token: string): string | null;
  };
};
