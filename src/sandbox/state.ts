import type { SwitchStore } from './faults/switches.ts';
import type { CallbackSender } from './jobs/callbacks.ts';
import type { JobStore } from './jobs/job-store.ts';
import type { Accounts } from './storage/accounts.ts';
import type { FileStore } from './storage/file-store.ts';
import type { LibraryVideo } from './storage/library.ts';
import type { RequestLog } from './storage/request-log.ts';

/** Everything that one running sandbox consists of, for the routes. */
export type SandboxState = {
  token: string;
  /** The number in the token. Every video id begins with it. */
  userId: string;
  /** `http://127.0.0.1:PORT`. Media urls are made of it when they are read, because the port may change at a restart. */
  origin: string;
  profile(): '2024-12' | '2026';
  accounts: Accounts;
  library: readonly LibraryVideo[];
  jobs: JobStore;
  callbacks: CallbackSender;
  uploads: FileStore;
  results: FileStore;
  switches: SwitchStore;
  requestLog: RequestLog;
  /** Phrases that were used, by `replyRef`; see `faults/phrases.ts`. */
  usedPhrases: Set<string>;
  /** Refuses connections for a while, as a host that is down. */
  startOutage(): void;
};
