import type { Log } from '../log.ts';

export type Row = Record<string, unknown>;

/**
 * Runs SQL with `$1` placeholders. A text without parameters may hold several statements, separated by semicolons;
 * the rows of all of them come back in order. `values.ts` says which JavaScript value each SQL type becomes.
 */
export type Sql = {
  query<R extends Row = Row>(text: string, params?: readonly unknown[]): Promise<R[]>;
};

export type Listener = {
  onMessage(payload: string): void;
  /** The connection was lost and is back: messages may have been missed, so read the log again. */
  onReconnected(): void;
};

export type Database = Sql & {
  kind: 'embedded' | 'postgres';
  /**
   * Commits when `work` resolves, rolls back when it throws. A serialization failure or deadlock runs the whole of
   * `work` again, up to 3 times, so it must change nothing but the database and do nothing slow: PGlite has a single
   * connection, and everybody else waits meanwhile. Inside, only `tx` may be used; anything else of this database throws.
   */
  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T>;
  /** Resolves once messages arrive. On PostgreSQL all channels share one connection, which reconnects for ever. */
  listen(channel: string, listener: Listener): Promise<() => Promise<void>>;
  ping(): Promise<void>;
  close(): Promise<void>;
};

export type DatabaseOptions = {
  /** `postgres://…`; without it the embedded PGlite is used. */
  url?: string | null | undefined;
  /** Where PGlite keeps its files; `memory://` keeps nothing. Created when missing. Not used with `url`. */
  dataDir: string;
  log: Log;
  /** Connections to PostgreSQL at most, default 10. LISTEN takes one more. */
  poolSize?: number | undefined;
};
