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
};

/** Without `canSeeAll` only the videos that the owner's lip-syncs used or made are visible. */
export type Viewer = { owner: string; canSeeAll: boolean };
