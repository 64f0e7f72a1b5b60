import type { Database } from '../../database/connect.ts';
import type { Log } from '../../log.ts';
import type { Upstream } from '../../upstream/client.ts';
import type { Freshness } from '../../upstream/freshness.ts';
import type { AccountService } from '../accounts/service.ts';
import type { VideoIds } from './ids.ts';

/** What the functions of this slice need. */
export type VideoDependencies = {
  readonly db: Database;
  readonly upstream: Upstream;
  readonly accounts: AccountService;
  readonly ids: VideoIds;
  readonly freshness: Freshness;
  readonly log: Log;
  /** Signs the tokens of permanent URLs. Null: there are none. */
  readonly resultTokens: {
    sign(key: string): string;
    /** The key that a token was signed for; null for an invalid token. */
    readKey(token: string): string | null;
  } | null;
  /** Without a trailing slash. A function, because the port may be unknown until the server listens. */
  readonly publicUrl: () => string;
};

/** Without `canSeeAll` only the videos that the owner's lip-syncs used or made are visible. */
export type Viewer = { owner: string; canSeeAll: boolean };
