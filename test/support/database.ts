import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { connectDatabase, type Database } from '../../src/database/connect.ts';
import { migrate } from '../../src/database/migrate.ts';
import { createLog, type Log } from '../../src/log.ts';
import { createDatabase, dropDatabase } from './postgres.ts';

export const silentLog: Log = createLog('silent');

/** Superuser's url of the PostgreSQL that this run uses; undefined = PGlite. */
export const postgresUrl: string | undefined = inject('postgresUrl');

/** Where a database is kept: what `connectDatabase` takes. On PostgreSQL it may be open several times at once. */
export type TestStorage = {
  url: string | undefined;
  dataDir: string;
  log: Log;
  remove(): Promise<void>;
};

const modules = join(import.meta.dirname, '../../node_modules');

/** A new PGlite folder takes 2 s and more to make, a copy of one half a second: one is made, and kept for later runs. */
async function emptyPglite(): Promise<string> {
  const manifest = await readFile(join(modules, '@electric-sql/pglite/package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const template = join(modules, '.cache', `pglite-${version}`);
  const exists = await stat(template).then(
    () => true,
    () => false,
  );
  if (exists) return template;
  const own = `${template}-${randomUUID()}`;
  const db = await connectDatabase({ dataDir: own, log: silentLog });
  await db.close();
  // Other test workers do the same at the same time; the first one wins.
  await rename(own, template).catch(() => rm(own, { recursive: true }));
  return template;
}

/** A fresh, empty database that can be opened again and again, until `remove`. */
export async function testStorage(): Promise<TestStorage> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-data-'));
  const url = postgresUrl && (await createDatabase(postgresUrl));
  if (!url) await cp(await emptyPglite(), dataDir, { recursive: true });
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
  const storage = await testStorage();
  const db = await connectDatabase(storage);
  if (migrated) await migrate(db);
  const close = db.close.bind(db);
  db.close = async () => {
    await close();
    await storage.remove();
  };
  return db;
}
