import { type ClientBase, type ClientConfig, Pool, type PoolClient, types } from 'pg';
import type { Log } from '../log.ts';
import { databaseErrorCode, isStatementRejected } from './failures.ts';
import { Notifications } from './notifications.ts';
import type { Database, Listener, Row, Sql } from './sql.ts';
import { retryConflicts, TransactionScope } from './transaction.ts';
import { elementTypes, encodeParam, parsers } from './values.ts';

const defaultPoolSize = 10;
// Our statements touch few rows by index: one that takes this long waits for a lock or has gone astray.
const statementTimeoutMs = 30_000;
// For a server that no longer answers at all; longer, so that the server's own refusal comes first.
const answerTimeoutMs = 40_000;
// An instance that stands still inside a transaction must not hold its row locks for ever.
const idleTransactionTimeoutMs = 60_000;

// The library's parser of text[]: lists, perhaps of lists, of strings and nulls.
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

/** By SET and not as connection options, which poolers such as PgBouncer refuse. */
async function configureSession(client: ClientBase): Promise<void> {
  // While a client is checked out its errors are nobody's, and an unheard one ends the process. The query in flight gets it too.
  client.on('error', () => undefined);
  await client.query(
    `set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres'; set bytea_output = 'hex';
     set statement_timeout = ${statementTimeoutMs};
     set idle_in_transaction_session_timeout = ${idleTransactionTimeoutMs}`,
  );
}

async function runQuery<R extends Row>(
  client: ClientBase,
  text: string,
  params: readonly unknown[] = [],
): Promise<R[]> {
  if (params.length === 0) {
    // Several statements give a list of results, which the types do not tell.
    const results: unknown = await client.query<R>(text);
    return [results].flat().flatMap((result) => (result as { rows: R[] }).rows);
  }
  const result = await client.query<R>(text, params.map(encodeParam));
  return result.rows;
}

/** COMMIT of a transaction in which a statement failed is answered "ROLLBACK", without an error. */
async function commit(client: ClientBase): Promise<void> {
  const { command } = await client.query('commit');
  if (command !== 'COMMIT') {
    throw new Error('The transaction was rolled back: a statement in it had failed.');
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
    this.#scope.refuseInside('query()');
    const client = await this.#pool.connect();
    try {
      const rows = await runQuery<R>(client, text, params);
      client.release();
      return rows;
    } catch (error) {
      // A text without parameters may have opened a transaction before it failed.
      const isReusable = isStatementRejected(error) && params !== undefined && params.length > 0;
      client.release(!isReusable);
      throw error;
    }
  }

  async transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T> {
    this.#scope.refuseInside('transaction()');
    return await retryConflicts(() => this.#attempt(work));
  }

  async #attempt<T>(work: (tx: Sql) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      await client.query('begin');
      const result = await this.#scope.run((text, params) => runQuery(client, text, params), work);
      await commit(client);
      client.release();
      return result;
    } catch (error) {
      await this.#rollBack(client);
      throw error;
    }
  }

  // A connection that cannot be rolled back is thrown away, and the server rolls back with it.
  async #rollBack(client: PoolClient): Promise<void> {
    try {
      await client.query('rollback');
      client.release();
    } catch {
      client.release(true);
    }
  }

  async listen(channel: string, listener: Listener): Promise<() => Promise<void>> {
    this.#scope.refuseInside('listen()');
    return await this.#notifications.listen(channel, listener);
  }

  async ping(): Promise<void> {
    await this.query('select 1');
  }

  async close(): Promise<void> {
    this.#scope.refuseInside('close()');
    this.#closing ??= Promise.all([this.#notifications.close(), this.#pool.end()]).then(
      () => undefined,
    );
    await this.#closing;
  }
}

/** @throws where the server cannot be reached or refuses us; the message holds no part of the URL */
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
  });
  pool.on('error', (error) => log.warn({ err: error }, 'lost an idle connection to the database'));
  const database = new Postgres(pool, new Notifications(config, log));
  try {
    await database.ping();
  } catch (error) {
    await database.close();
    const code = databaseErrorCode(error) ?? 'no answer';
    throw new Error(`The database of DATABASE_URL cannot be used: ${code}.`, { cause: error });
  }
  return database;
}
