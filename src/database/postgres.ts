import { type ClientBase, type ClientConfig, Pool, type PoolClient, types } from 'pg';
import { errorCodeOf } from '../log/error-code.ts';
import type { Log } from '../log.ts';
import { TemporarilyUnavailableError } from '../unavailable.ts';
import { isPlanOutdated, isStatementRejected, isTransient } from './failures.ts';
import { Notifications } from './notifications.ts';
import { planSettings } from './plan-settings.ts';
import { answerTimeoutMs, reportOutage, runQuery } from './postgres/run-query.ts';
import type {
  Database,
  Listener,
  QueryOptions,
  Row,
  Transaction,
  TransactionOptions,
} from './sql.ts';
import { retryConflicts, TransactionScope } from './transaction.ts';
import { elementTypes, parsers } from './values.ts';

const defaultPoolSize = 10;
// Our statements read few rows by index. One that takes this long waits for a lock or has a bad plan.
const statementTimeoutMs = 30_000;
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

/** Reports a rejection that a retry can avoid, such as one for a conflict or for too few resources, as temporary. */
function reportTransient(error: unknown): unknown {
  return isStatementRejected(error) && isTransient(error)
    ? new TemporarilyUnavailableError(error)
    : error;
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

  async query<R extends Row>(
    text: string,
    params?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<R[]> {
    this.#scope.assertOutside('query()');
    const client = await reportOutage(this.#pool.connect());
    try {
      const rows = await runQuery<R>({ ...options, client }, text, params);
      client.release();
      return rows;
    } catch (error) {
      // A script without parameters can have opened a transaction before it failed.
      const isReusable = isStatementRejected(error) && params !== undefined && params.length > 0;
      client.release(!isReusable);
      if (isPlanOutdated(error)) return await this.query(text, params, options);
      throw reportTransient(error);
    }
  }

  async transaction<T>(
    work: (tx: Transaction) => Promise<T>,
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
    work: (tx: Transaction) => Promise<T>,
    timeoutMs: number | undefined,
  ): Promise<T> {
    const client = await reportOutage(this.#pool.connect());
    // Not awaited: the first statements of `work` are sent with it. If it fails, they fail as a consequence.
    const begun = reportOutage(client.query(begin));
    begun.catch(() => undefined);
    let committed: Promise<void> | undefined;
    const onFinish = () => {
      committed = commit(client);
      committed.catch(() => undefined);
    };
    try {
      const result = await this.#scope.run(
        (text, params, options) => runQuery({ ...options, client, timeoutMs }, text, params),
        work,
        { isPipelined: true, onFinish },
      );
      await begun;
      await (committed ?? commit(client));
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
