import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { inject } from 'vitest';
import { connectDatabase, type Database } from '../../src/database/connect.ts';
import { createLog, type Log } from '../../src/log.ts';
import { takeEmbedded } from './embedded-pool.ts';
import { createDatabase, dropDatabase } from './postgres.ts';
import { makeTables } from './tables.ts';

export const silentLog: Log = createLog('silent');

/** The superuser URL of the PostgreSQL of this run; undefined = PGlite. */
export const postgresUrl: string | undefined = inject('postgresUrl');
const preparedUrl = inject('preparedUrl');

/** The location of a database, as `connectDatabase` takes it. PostgreSQL allows several connections at once. */
export type TestStorage = {
  url: string | undefined;
  dataDir: string;
  log: Log;
  remove(): Promise<void>;
};

const root = join(import.meta.dirname, '../..');

/** Changes with everything that the prepared folder is made from: PGlite, pg-boss, our migrations and `tables.ts`. */
async function versionOfTables(): Promise<string> {
  const migrations = join(root, 'src/database/migrations');
  const files = [
    join(root, 'package-lock.json'),
    join(import.meta.dirname, 'tables.ts'),
    ...(await readdir(migrations)).sort().map((name) => join(migrations, name)),
  ];
  const hash = createHash('sha256');
  for (const file of files) hash.update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}

/** A PGlite folder with its tables takes a second to make: it is made once and kept for later runs. */
async function preparedPglite(): Promise<string> {
  const prepared = join(root, 'node_modules/.cache', `pglite-${await versionOfTables()}`);
  if (existsSync(prepared)) return prepared;
  const own = `${prepared}-${randomUUID()}`;
  await makeTables({ dataDir: own });
  // Other test workers may do the same at the same time; the first rename wins.
  await rename(own, prepared).catch(() => rm(own, { recursive: true }));
  return prepared;
}

type PreparedFiles = { folders: string[]; files: { path: string; bytes: Buffer; size: number }[] };

function readFolder(folder: string): PreparedFiles {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => ({
    entry,
    path: relative(folder, join(entry.parentPath, entry.name)),
  }));
  return {
    folders: entries.filter(({ entry }) => entry.isDirectory()).map(({ path }) => path),
    files: entries
      .filter(({ entry }) => entry.isFile())
      .map(({ path }) => {
        const bytes = readFileSync(join(folder, path));
        const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
        return { path, bytes: bytes.subarray(0, end), size: bytes.length };
      }),
  };
}

let preparedFiles: Promise<PreparedFiles> | undefined;

/**
 * Every test that starts the app copies the prepared folder, so this is the largest single cost of the suite. The files
 * are read once per process, and the zeros at their ends (most of the 16 MB log) become holes.
 */
async function copyPrepared(target: string): Promise<void> {
  preparedFiles ??= preparedPglite().then(readFolder);
  const { folders, files } = await preparedFiles;
  for (const folder of folders) mkdirSync(join(target, folder));
  for (const { path, bytes, size } of files) {
    const file = openSync(join(target, path), 'w');
    writeSync(file, bytes);
    if (bytes.length < size) ftruncateSync(file, size);
    closeSync(file);
  }
}

/**
 * A fresh database that can be opened again and again, until `remove`.
 *
 * @param options.migrated false leaves it empty; otherwise it holds our tables without a row
 * @param options.isEmbedded true is PGlite in any run
 */
export async function testStorage({
  migrated = true,
  isEmbedded = false,
} = {}): Promise<TestStorage> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-data-'));
  const url = isEmbedded
    ? undefined
    : postgresUrl && (await createDatabase(postgresUrl, migrated ? preparedUrl : undefined));
  if (!url && migrated) await copyPrepared(dataDir);
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
 * A fresh database of the kind that this run uses, removed by `close`.
 *
 * @param options.migrated false leaves it empty
 */
export async function testDatabase({ migrated = true } = {}): Promise<Database> {
  if (migrated && !postgresUrl) return takeEmbedded(testStorage);
  const storage = await testStorage({ migrated });
  const db = await connectDatabase(storage);
  const close = db.close.bind(db);
  db.close = async () => {
    await close();
    await storage.remove();
  };
  return db;
}

/** Locks a table, in a mode of PostgreSQL's LOCK TABLE, until the returned function is called. */
export async function holdTable(
  db: Database,
  table: string,
  mode: 'access exclusive' | 'exclusive',
): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const done = db.transaction(async (tx) => {
    await tx.query(`lock table ${table} in ${mode} mode`);
    held.resolve();
    await released.promise;
  });
  await held.promise;
  return () => {
    released.resolve();
    return done;
  };
}
