import type { Log } from '../log.ts';

export type Row = Record<string, unknown>;

/**
 * Runs SQL with `$1` placeholders. Without parameters the text can contain several statements, separated by semicolons;
 * their rows are returned in order. `values.ts` lists the JavaScript type for each SQL type.
 */
export type Sql = {
  query<R extends Row = Row>(text: string, params?: readonly unknown[]): Promise<R[]>;
};

export type Listener = {
  onMessage(payload: string): void;
  /** The connection was lost and restored. Messages can be missing, so the listener must read the tables again. */
  onReconnected(): void;
};

export type TransactionOptions = {
  /** The key of an advisory lock that the transaction takes at its beginning, with the same message to the server. */
  lock?: number;
  /** How long PostgreSQL may take for a statement, default 40 s. For migrations. */
  answerTimeoutMs?: number;
};

export type Database = Sql & {
  kind: 'embedded' | 'postgres';
  /**
   * Commits if `work` resolves, rolls back if it throws. After a serialization failure or deadlock `work` runs again, up to
   * 3 times, so its only side effects must be in the database. It must be fast: PGlite has one connection, and all other
   * queries wait. Inside `work` use only `tx`; other methods of this database throw.
   */
  transaction<T>(work: (tx: Sql) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** Resolves once messages can arrive. On PostgreSQL all channels share one connection, which reconnects until `close`. */
  listen(channel: string, listener: Listener): Promise<() => Promise<void>>;
  ping(): Promise<void>;
  /** The pool of connections now, and how many statements and transactions wait for one. Null on PGlite. */
  countConnections(): { busy: number; idle: number; waiting: number } | null;
  close(): Promise<void>;
};

export type DatabaseOptions = {
  /** `postgres://…`. Without it the embedded PGlite is used. */
  url?: string | null | undefined;
  /** The folder of PGlite, created if it is missing; `memory://` stores nothing. Ignored with `url`. */
  dataDir: string;
  log: Log;
  /** Maximum number of connections to PostgreSQL, default 10. LISTEN uses one more. */
  poolSize?: number | undefined;
};
