import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import type { Log } from '../log.ts';
import { Channels, quoteChannel } from './channels.ts';
import { lockDataDir } from './lock.ts';
import { planSettings } from './plan-settings.ts';
import type { Database, Listener, Row, Transaction } from './sql.ts';
import { retryConflicts, TransactionScope } from './transaction.ts';
import { encodeParam, parsers, serializers } from './values.ts';

const inMemory = 'memory://';

/**
 * PostgreSQL's defaults suit a server with many clients: clearing the memory that they share takes a third of the CPU time of
 * PGlite's start. Here there is one client.
 */
const startSettings = {
  shared_buffers: '4MB',
  max_connections: 3,
  max_worker_processes: 0,
  autovacuum_worker_slots: 1,
  max_wal_senders: 0,
  max_replication_slots: 0,
};

// A script with its own BEGIN and COMMIT, as pg-boss sends them. If it fails halfway, the only connection is left in an
// aborted transaction and the next query fails. It therefore runs inside a PGlite transaction, where its BEGIN and COMMIT
// only cause a warning, and a failure is rolled back before the next query.
const scriptWithTransaction = /^\s*(begin|start\s+transaction)\b/i;

type Connection = Pick<PGlite, 'query' | 'exec'>;

/** PGlite adds the parameters to its errors. Without this, texts and keys of callers would appear in the log. */
function withoutParams(error: unknown): unknown {
  if (error instanceof Error && 'params' in error) delete error.params;
  return error;
}

async function runQuery<R extends Row>(
  connection: Connection,
  text: string,
  params: readonly unknown[] = [],
): Promise<R[]> {
  try {
    if (params.length === 0) {
      const results = await connection.exec(text);
      return results.flatMap((result) => result.rows as R[]);
    }
    const result = await connection.query<R>(text, params.map(encodeParam));
    return result.rows;
  } catch (error) {
    throw withoutParams(error);
  }
}

async function startPglite(directory: string, loadDataDir?: Blob): Promise<PGlite> {
  const pglite = await PGlite.create(directory, {
    parsers,
    serializers,
    startParams: [
      ...PGlite.defaultStartParams,
      ...Object.entries(startSettings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    ...(loadDataDir === undefined ? {} : { loadDataDir }),
  });
  await pglite.exec(`${planSettings}; set timezone = 'UTC'`);
  return pglite;
}

/** A prebuilt empty cluster: running `initdb` in PGlite takes 3 s and 400 MB. */
async function loadEmptyCluster(): Promise<Blob> {
  const { dataDir } = await import('@electric-sql/pglite-prepopulatedfs');
  return await dataDir();
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Recreates a folder that a crash left half initialized: PGlite cannot start in it, and it contains no data yet. */
async function startInFolder(directory: string): Promise<PGlite> {
  const unfinished = `${directory}.unfinished`;
  if (await exists(unfinished)) await rm(directory, { recursive: true, force: true });
  if (await exists(join(directory, 'PG_VERSION'))) return await startPglite(directory);
  await writeFile(unfinished, '');
  const pglite = await startPglite(directory, await loadEmptyCluster());
  await rm(unfinished);
  return pglite;
}

class Embedded implements Database {
  readonly kind = 'embedded';
  readonly #pglite: PGlite;
  readonly #channels: Channels;
  readonly #scope = new TransactionScope();
  readonly #unlock: () => Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(pglite: PGlite, log: Log, unlock: () => Promise<void>) {
    this.#pglite = pglite;
    this.#channels = new Channels(log);
    this.#unlock = unlock;
    pglite.onNotification((channel, payload) => this.#channels.deliver(channel, payload));
  }

  async query<R extends Row>(text: string, params?: readonly unknown[]): Promise<R[]> {
    this.#scope.assertOutside('query()');
    if (scriptWithTransaction.test(text)) {
      return await this.#pglite.transaction((connection) => runQuery<R>(connection, text, params));
    }
    return await runQuery<R>(this.#pglite, text, params);
  }

  // Needs no `lock`: the one connection runs one transaction at a time.
  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    this.#scope.assertOutside('transaction()');
    return await retryConflicts(() =>
      this.#pglite.transaction((connection) =>
        this.#scope.run((text, params) => runQuery(connection, text, params), work, {
          isPipelined: false,
        }),
      ),
    );
  }

  async listen(channel: string, listener: Listener): Promise<() => Promise<void>> {
    this.#scope.assertOutside('listen()');
    const entry = this.#channels.add(channel, listener);
    // Also if the channel has a listener already: its LISTEN can still be in progress, and this call must not resolve earlier.
    await this.#pglite.exec(`listen ${quoteChannel(channel)}`).catch((error: unknown) => {
      this.#channels.remove(channel, entry);
      throw error;
    });
    return async () => {
      const isLast = this.#channels.remove(channel, entry);
      if (isLast && this.#closing === undefined) {
        await this.#pglite.exec(`unlisten ${quoteChannel(channel)}`);
      }
    };
  }

  async ping(): Promise<void> {
    await this.query('select 1');
  }

  countConnections() {
    return null;
  }

  async close(): Promise<void> {
    this.#scope.assertOutside('close()');
    this.#closing ??= this.#shutDown();
    await this.#closing;
  }

  async #shutDown(): Promise<void> {
    try {
      await this.#pglite.close();
    } finally {
      await this.#unlock();
    }
  }
}

/** @param dataDir `memory://` keeps the data in memory only and needs no lock */
export async function openEmbedded(dataDir: string, log: Log): Promise<Database> {
  if (dataDir === inMemory) {
    return new Embedded(
      await startPglite(inMemory, await loadEmptyCluster()),
      log,
      async () => undefined,
    );
  }
  await mkdir(dataDir, { recursive: true });
  const unlock = await lockDataDir(dataDir, log);
  try {
    return new Embedded(await startInFolder(join(dataDir, 'database')), log, unlock);
  } catch (error) {
    await unlock();
    throw error;
  }
}
