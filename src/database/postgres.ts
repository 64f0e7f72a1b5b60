import { type ClientBase, type ClientConfig, Pool, type PoolClient, types } from 'pg';
import type { Log } from '../log.ts';
import { TemporarilyUnavailableError } from '../unavailable.ts';
import { errorCodeOf, isStatementRejected, isTransient } from './failures.ts';
import { Notifications } from './notifications.ts';
import { planSettings } from './plan-settings.ts';
import type { Database, Listener, Row, Sql, TransactionOptions } from './sql.ts';
import { retryConflicts, TransactionScope } from './transaction.ts';
import { elementTypes, encodeParam, parsers } from './values.ts';

const defaultPoolSize = 10;
// Our statements read few rows by index. One that takes this long waits for a lock or has a bad plan.
const statementTimeoutMs = 30_000;
// For a server that does not respond. Longer than the statement timeout, so that the server's own error arrives first.
const answerTimeoutMs = 40_000;
// An instance that hangs inside a transaction must not hold its row locks forever.
const idleTransactionTimeoutMs = 60_000;

// The library's parser of text[]: nested lists of strings and nulls.
const textArray = 1009 as Parameters<typeof types.getTypeParser>[0];
const splitArray = types.getTypeParser(textArray) as (text: string) => unknown;

function parseElements(value: unknown, parse: (text: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((element) => parseElements(element, parse));
  return typeof value === 'string' ? parse(value) : value;
}

function parserOf(oid: number): (text: string) => unknown {
  const element = elementTypes[oid];
  if (element === undefined) return parsers[oid] ?? ((text) => text);
  const parse = parserOf(element);
  return (text) => parseElements(splitArray(text), parse);
}

/** Uses SET because poolers such as PgBouncer reject connection options. */
async function configureSession(client: ClientBase): Promise<void> {
  // The pool does not handle errors of a checked-out client, and an unhandled one would end the process. The running query gets the error too.
  client.on('error', () => undefined);
  await client.query(
    `${planSettings}; set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres'; set bytea_output = 'hex';
     set statement_timeout = ${statementTimeoutMs};
     set idle_in_transaction_session_timeout = ${idleTransactionTimeoutMs}`,
  );
}

/**
 * A statement that the server rejected keeps its error. Any other error is of the connection: it could not be made, was lost,
 * or did not answer in time.
 */
async function reportOutage<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isStatementRejected(error) ? error : new TemporarilyUnavailableError(error);
  }
}

/** Also for a rejection that a later attempt would not meet, such as a conflict or too few resources. */
function reportTransient(error: unknown): unknown {
  return isStatementRejected(error) && isTransient(error)
    ? new TemporarilyUnavailableError(error)
    : error;
}

async function runQuery<R extends Row>(
  { client, timeoutMs = answerTimeoutMs }: { client: ClientBase; timeoutMs?: number | undefined },
  text: string,
  params: readonly unknown[] = [],
): Promise<R[]> {
  if (params.length === 0) {
    // Neither the timeout nor that several statements return a list of results is declared by the types.
    const query = { text, query_timeout: timeoutMs };
    const results: unknown = await reportOutage(client.query<R>(query));
    return [results].flat().flatMap((result) => (result as { rows: R[] }).rows);
  }
  const values = params.map(encodeParam);
  return (await reportOutage(client.query<R>(text, values))).rows;
}

/** PostgreSQL answers COMMIT of a failed transaction with "ROLLBACK" and without an error. */
async function commit(client: ClientBase): Promise<void> {
  const { command } = await reportOutage(client.query('commit'));
  if (command !== 'COMMIT') {
    throw new Error('The transaction was rolled back because one of its statements failed.');
  }
}

class Postgres implements Database {
  readonly kind = 'postgres';
  readonly #pool: Pool;
  readonly #notifications: Notifications;
  readonly #scope = new TransactionScope();
  #closing: Promise<void> | undefined;

  constructor(pool: Pool, notifications: Notifications) {
    this.#pool = pool;
    this.#notifications = notifications;
  }

  async query<R extends Row>(text: string, params?: readonly unknown[]): Promise<R[]> {
    this.#scope.assertOutside('query()');
    const client = await reportOutage(this.#pool.connect());
    try {
      const rows = await runQuery<R>({ client }, text, params);
      client.release();
      return rows;
    } catch (error) {
      // A script without parameters can have opened a transaction before it failed.
      const isReusable = isStatementRejected(error) && params !== undefined && params.length > 0;
      client.release(!isReusable);
      throw reportTransient(error);
    }
  }

  async transaction<T>(
    work: (tx: Sql) => Promise<T>,
    { lock, answerTimeoutMs }: TransactionOptions = {},
  ): Promise<T> {
    this.#scope.assertOutside('transaction()');
    const begin = lock === undefined ? 'begin' : `begin; select pg_advisory_xact_lock(${lock})`;
    try {
      return await retryConflicts(() => this.#attempt(begin, work, answerTimeoutMs));
    } catch (error) {
      throw reportTransient(error);
    }
  }

  async #attempt<T>(
    begin: string,
    work: (tx: Sql) => Promise<T>,
    timeoutMs: number | undefined,
  ): Promise<T> {
    const client = await reportOutage(this.#pool.connect());
    // Not awaited: the first statements of `work` are sent with it. If it fails, they fail as a consequence.
    const begun = reportOutage(client.query(begin));
    begun.catch(() => undefined);
    try {
      const result = await this.#scope.run(
        (text, params) => runQuery({ client, timeoutMs }, text, params),
        work,
        { isPipelined: true },
      );
      await begun;
      await commit(client);
      client.release();
      return result;
    } catch (error) {
      const cause = await begun.then(
        () => error,
        (failure: unknown) => failure,
      );
      await this.#rollBack(client);
      throw cause;
    }
  }

  // If ROLLBACK fails, the connection is closed, which makes the server roll back.
  async #rollBack(client: PoolClient): Promise<void> {
    try {
      await client.query('rollback');
      client.release();
    } catch {
      client.release(true);
    }
  }

  async listen(channel: string, listener: Listener): Promise<() => Promise<void>> {
    this.#scope.assertOutside('listen()');
    return await this.#notifications.listen(channel, listener);
  }

  async ping(): Promise<void> {
    await this.query('select 1');
  }

  countConnections() {
    const { totalCount, idleCount: idle, waitingCount: waiting } = this.#pool;
    return { busy: totalCount - idle, idle, waiting };
  }

  async close(): Promise<void> {
    this.#scope.assertOutside('close()');
    this.#closing ??= Promise.all([this.#notifications.close(), this.#pool.end()]).then(
      () => undefined,
    );
    await this.#closing;
  }
}

/** @throws if the server cannot be reached or rejects the login; the message contains no part of the URL */
export async function openPostgres(options: {
  url: string;
  log: Log;
  poolSize: number | undefined;
}): Promise<Database> {
  const { url, log, poolSize = defaultPoolSize } = options;
  const config: ClientConfig = {
    connectionString: url,
    application_name: 'lipsync-graphql',
    connectionTimeoutMillis: 10_000,
    query_timeout: answerTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser: (oid: number) => parserOf(oid) },
  };
  const pool = new Pool({
    ...config,
    max: poolSize,
    idleTimeoutMillis: 30_000,
    onConnect: configureSession,
    // Statements of a transaction that do not wait for each other share a round trip.
    pipeline: true,
  });
  pool.on('error', (error) => log.warn({ err: error }, 'lost an idle connection to the database'));
  const database = new Postgres(pool, new Notifications(config, log));
  try {
    await database.ping();
  } catch (error) {
    await database.close();
    const code = errorCodeOf(error) ?? 'no response';
    throw new Error(`Cannot connect to the database in DATABASE_URL: ${code}.`, { cause: error });
  }
  return database;
}
