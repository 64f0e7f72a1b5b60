import type { SoundConverter } from '../../audio/sound-converter.ts';
import type { Database } from '../../database/connect.ts';
import type { Log } from '../../log.ts';
import type { OwnerSlotLimits } from '../../owner-slots.ts';
import type { Upstream } from '../../upstream/client.ts';

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
  /** The least that a client must send. Default: 60 kB in 30 seconds. For tests. */
  readonly minRate?: { bytes: number; inMs: number } | undefined;
  /** Decodes sound that the upstream does not take as it is. Default: in worker threads, with their limits. For tests. */
  readonly converter?: SoundConverter | undefined;
  /** Files that are kept on disk to be decoded. Default: 32, and 8 of one owner. For tests. */
  readonly decodings?: OwnerSlotLimits | undefined;
  /** Waiting uploads of one owner. Default: 10,000. For tests. */
  readonly maxWaiting?: number | undefined;
  readonly now: () => Date;
  readonly log: Log;
  /** Without a trailing slash. A function, because the port may be unknown until the server listens. */
  readonly publicUrl: () => string;
  /** Signs the tokens that make upload URLs unguessable. */
  readonly tokens: {
    sign(id: string, expiresAt: Date): string;
    /** The id that a token was signed for, also after its expiry; null for an invalid token. */
    readId(token: string): string | null;
  };
};
