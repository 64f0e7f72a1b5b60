import type { Accounts } from './storage/accounts.ts';
import type { Reply } from './http/responses.ts';
import type { Call } from './http/body.ts';
import type { Announcer } from './jobs/callbacks.ts';
import type { JobBoard } from './jobs/job-store.ts';
import type { Journal } from './storage/request-log.ts';
import type { LibraryVideo } from './storage/library.ts';
import type { Shelf } from './storage/file-store.ts';
import type { SwitchBoard } from './faults/switches.ts';

/** Everything one running sandbox consists of; what a route may use. */
export type World = {
  token: string;
  /** The number in the token, which every video id begins with. */
  userId: string;
  /** `http://127.0.0.1:PORT`; media urls are made from it when they are read, since the port may change. */
  origin: string;
  profile(): '2024-12' | '2026';
  accounts: Accounts;
  library: readonly LibraryVideo[];
  jobs: JobBoard;
  announcer: Announcer;
  uploads: Shelf;
  results: Shelf;
  switches: SwitchBoard;
  journal: Journal;
  /** Phrases that have fired, by `replyRef`; see `phrases.ts`. */
  firedPhrases: Set<string>;
};

type Handler = (call: Call, world: World) => Reply | Promise<Reply>;
export type Route = { method: string; path: string; handle: Handler };
