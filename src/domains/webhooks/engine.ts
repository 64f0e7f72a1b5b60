import type { Database } from '../../database/connect.ts';
import type { Jobs } from '../../database/jobs.ts';
import type { Log } from '../../log.ts';
import type { Postman } from './post.ts';
import type { Vault } from './vault.ts';

/** What the verbs of this slice work with. */
export type WebhookEngine = {
  readonly db: Database;
  readonly jobs: Jobs;
  readonly now: () => Date;
  readonly log: Log;
  readonly vault: Vault;
  readonly postman: Postman;
  /** Before the second attempt, the third and so on; after the last of them it has failed. */
  readonly delaysMs: readonly number[];
  /** An id as callers know it. */
  readonly publicId: (typename: string, key: string) => string;
  /** Ends the attempts of this process. */
  readonly stopping: AbortSignal;
};
