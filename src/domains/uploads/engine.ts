import type { Database } from '../../database/connect.ts';
import type { Log } from '../../log.ts';
import type { Upstream } from '../../upstream/client.ts';

/** What the verbs of this slice work with. */
export type UploadEngine = {
  readonly db: Database;
  readonly upstream: Upstream;
  readonly accounts: {
    /** The e-mail that POST /files needs where there is more than one account. */
    pickForUpload(): Promise<string | undefined>;
  };
  readonly now: () => Date;
  readonly log: Log;
  /** Without a slash at the end. Asked each time: the port may not be known before the server listens. */
  readonly publicUrl: () => string;
  /** What makes an upload URL unguessable. */
  readonly tokens: {
    sign(id: string, expiresAt: Date): string;
    /** The id that a token was signed for, expired or not; null where it was not. */
    readId(token: string): string | null;
  };
};
