import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../../src/database/connect.ts';
import { migrate } from '../../src/database/migrate.ts';
import { testDatabase } from '../support/database.ts';

const migrations = join(import.meta.dirname, '../../src/database/migrations');

/** A database as an earlier version left it: with the migrations below this number. */
export async function openDatabaseBefore(number: string): Promise<Database> {
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-migrations-'));
  try {
    const names = (await readdir(migrations)).filter((name) => name < number);
    for (const name of names) await copyFile(join(migrations, name), join(folder, name));
    const db = await testDatabase({ migrated: false });
    await migrate(db, folder);
    return db;
  } finally {
    await rm(folder, { recursive: true });
  }
}
