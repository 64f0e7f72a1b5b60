import type { Log } from '../log.ts';

export type Row = Record<string, unknown>;

/**
 * Runs SQL with `$1` placeholders. Without parameters the text can contain several statements, separated by semicolons;
 * their rows are returned in order. `values.ts` lists the JavaScript type for each SQL type.
 */
export type Sql = {
  query<R extends Row = Row>(
    text: string,
    params?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<R[]>;
};

export type QueryOptions = {
  /**
   * PostgreSQL keeps the statement with its plan for the connection. For statements that run with every creation, whose
   * text is constant and whose best plan does not depend on the parameters. PGlite plans every statement anew.
   */
  isPrepared?: boolean;
};

export type Transaction = Sql & {
  /**
   * Calls `statements`, which sends the last statements of the transaction and waits for nothing before it has sent
   * them. PostgreSQL gets the COMMIT right after them, without waiting for their results, which saves a round trip
   * while locks are held. If one of them fails, the server rolls back. No statement can follow.
   */
  finish<T>(statements: () => Promise<T>): Promise<T>;
};

export type Listener = {
  onMessage(payload: string): void;
  /** The connection was lost and restored. Messages can be missing, so the listener must read the tables again. */
  onReconnected(): void;
};

export type TransactionOptions = {
  /** The key of an advisory lock, which the transaction acquires in the message that begins it. */
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
  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
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
