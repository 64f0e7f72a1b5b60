import { createHash, randomUUID } from 'node:crypto';
import { cpSync, existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { connectDatabase, type Database } from '../../src/database/connect.ts';
import { createLog, type Log } from '../../src/log.ts';
import { createDatabase, dropDatabase } from './postgres.ts';
import { makeTables } from './tables.ts';

export const silentLog: Log = createLog('silent');

/** Superuser's url of the PostgreSQL that this run uses; undefined = PGlite. */
export const postgresUrl: string | undefined = inject('postgresUrl');
const preparedUrl = inject('preparedUrl');

/** Where a database is kept: what `connectDatabase` takes. On PostgreSQL it may be open several times at once. */
export type TestStorage = {
  url: string | undefined;
  dataDir: string;
  log: Log;
  remove(): Promise<void>;
};

const root = join(import.meta.dirname, '../..');

/** Changes with whatever makes the tables: PGlite, pg-boss and our migrations. */
async function versionOfTables(): Promise<string> {
  const migrations = join(root, 'src/database/migrations');
  const files = [
    join(root, 'package-lock.json'),
    ...(await readdir(migrations)).sort().map((name) => join(migrations, name)),
  ];
  const hash = createHash('sha256');
  for (const file of files) hash.update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}

/** A PGlite folder and its tables take a second to make, a copy a fifth of that: one is made, and kept for later runs. */
async function preparedPglite(): Promise<string> {
  const prepared = join(root, 'node_modules/.cache', `pglite-${await versionOfTables()}`);
  if (existsSync(prepared)) return prepared;
  const own = `${prepared}-${randomUUID()}`;
  await makeTables({ dataDir: own });
  // Other test workers do the same at the same time; the first one wins.
  await rename(own, prepared).catch(() => rm(own, { recursive: true }));
  return prepared;
}

/**
 * A fresh database that can be opened again and again, until `remove`.
 *
 * @param options.migrated false leaves it empty; otherwise it holds our tables without a row
 */
export async function testStorage({ migrated = true } = {}): Promise<TestStorage> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-data-'));
  const url =
    postgresUrl && (await createDatabase(postgresUrl, migrated ? preparedUrl : undefined));
  // Not the one of fs/promises, which takes three times as long over a thousand small files.
  if (!url && migrated) cpSync(await preparedPglite(), dataDir, { recursive: true });
  return {
    url,
    dataDir,
    log: silentLog,
    async remove() {
      if (postgresUrl && url) await dropDatabase(postgresUrl, url);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * A fresh database on whatever this run uses, gone after `close`.
 *
 * @param options.migrated false leaves it empty
 */
export async function testDatabase({ migrated = true } = {}): Promise<Database> {
  const storage = await testStorage({ migrated });
  const db = await connectDatabase(storage);
  const close = db.close.bind(db);
  db.close = async () => {
    await close();
    await storage.remove();
  };
  return db;
}
