import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isConflict } from './failures.ts';
import type { Database, Sql } from './sql.ts';

type Migration = { name: string; text: string; checksum: string };
/** `oldest`: `oldestLastMigration` of the program that applied it; null for programs that did not store it. */
type Applied = { name: string; checksum: string; oldest: string | null };

/**
 * The last migration of the previous version. A program of that version may still start on the tables of this version: an
 * instance that restarts during a rollout, or every instance after a rollback. Programs of older versions exit.
 * `test/e2e/instances/upgrade.test.ts` starts the previous version on these tables.
 */
export const oldestLastMigration = '0022-upload-list.sql';

const ownMigrations = join(import.meta.dirname, 'migrations');
const fileName = /^\d{4}-[a-z0-9-]+\.sql$/;
// An arbitrary number that must stay the same in all versions of this program.
const lockKey = 7_204_118_310;
const lockPauseMs = 100;
const lockTimeoutMs = 120_000;
/**
 * A migration may read or index a table with millions of rows. The migration itself sets the server's statement
 * timeout.
 */
const answerTimeoutMs = 3_600_000;

export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  const misnamed = names.find((name) => !fileName.test(name));
  if (misnamed !== undefined) {
    throw new MigrationError(`Migration ${misnamed} is not named like 0001-what-it-does.sql.`);
  }
  return await Promise.all(
    names.map(async (name) => {
      const text = (await readFile(join(directory, name), 'utf8')).replaceAll('\r\n', '\n');
      return { name, text, checksum: createHash('sha256').update(text).digest('hex') };
    }),
  );
}

/** @returns whether the database has migrations of a newer program that allows this one to run */
function checkHistory(migrations: Migration[], applied: Applied[]): boolean {
  const known = new Map(migrations.map(({ name, checksum }) => [name, checksum]));
  const own = migrations.at(-1)?.name ?? '';
  const allowsNewer = isAllowedBy(applied.at(-1), own);
  for (const { name, checksum } of applied) {
    const expected = known.get(name);
    if (expected === undefined) {
      if (allowsNewer && name > own) continue;
      throw new MigrationError(
        `The database is newer than this program: it contains the unknown migration ${name}. Start the version that applied it.`,
      );
    }
    if (expected !== checksum) {
      throw new MigrationError(
        `Migration ${name} was changed after it was applied. Restore the file and put the change into a new migration.`,
      );
    }
  }
  checkOrder(migrations, applied);
  return (applied.at(-1)?.name ?? '') > own;
}

/** Whether the program that applied the migration `last` allows a program whose own last migration is `ownLast`. */
function isAllowedBy(last: Applied | undefined, ownLast: string): boolean {
  return last !== undefined && last.oldest !== null && ownLast >= last.oldest;
}

function checkOrder(migrations: Migration[], applied: Applied[]): void {
  const last = applied.at(-1)?.name ?? '';
  const done = new Set(applied.map(({ name }) => name));
  const late = migrations.find(({ name }) => name < last && !done.has(name));
  if (late !== undefined) {
    throw new MigrationError(
      `Migration ${late.name} is not applied, although the later ${last} is. Give it a higher number.`,
    );
  }
}

export type MigrationState = {
  /** The names of the applied files, in order. */
  names: string[];
  /** Files that the next start applies, in order. */
  pending: string[];
  applied: number;
  /** Why this program refuses to start on the database; null = it does not. */
  problem: string | null;
  /** The database has migrations of a newer program that allows this one to run. */
  isNewer: boolean;
};

/** Compares the database with the files, and changes nothing. */
export async function inspectMigrations(
  sql: Sql,
  directory: string = ownMigrations,
): Promise<MigrationState> {
  const migrations = await readMigrations(directory);
  const applied = await readApplied(sql);
  const done = new Set(applied.map(({ name }) => name));
  const pending = migrations.map(({ name }) => name).filter((name) => !done.has(name));
  const state = { names: applied.map(({ name }) => name), pending, applied: applied.length };
  try {
    return { ...state, isNewer: checkHistory(migrations, applied), problem: null };
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    return { ...state, isNewer: false, problem: error.message };
  }
}

async function readApplied(sql: Sql): Promise<Applied[]> {
  const [table] = await sql.query<{ exists: boolean }>(
    "select to_regclass('schema_migrations') is not null as exists",
  );
  if (table?.exists !== true) return [];
  return sql.query<Applied>(appliedQuery);
}

/** Tables of earlier programs lack the column `oldest`. */
const appliedQuery = `select name, checksum, to_jsonb(m) ->> 'oldest' as oldest
  from schema_migrations m order by name collate "C"`;

type Outcome = 'applied' | 'done' | 'newer' | 'locked' | 'conflict';

async function applyNext(tx: Sql, migrations: Migration[], oldest: string): Promise<Outcome> {
  // Does not block: waiting for another process's migrations could exceed the statement timeout.
  const [lock] = await tx.query<{ held: boolean }>('select pg_try_advisory_xact_lock($1) as held', [
    lockKey,
  ]);
  if (lock?.held !== true) return 'locked';
  await tx.query(`create table if not exists schema_migrations (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
  )`);
  const applied = await tx.query<Applied>(appliedQuery);
  if (checkHistory(migrations, applied)) return 'newer';
  const next = migrations[applied.length];
  if (next === undefined) return 'done';
  try {
    await tx.query(next.text);
  } catch (error) {
    throw new MigrationError(`Migration ${next.name} failed and was rolled back.`, {
      cause: error,
    });
  }
  await tx.query('alter table schema_migrations add column if not exists oldest text');
  const insert = 'insert into schema_migrations (name, checksum, oldest) values ($1, $2, $3)';
  await tx.query(insert, [next.name, next.checksum, oldest]);
  return 'applied';
}

/**
 * A deadlock with a program that writes to the tables at the same time: it has read a table and waits to write to it, and the
 * migration, which holds it from writing, waits to change the table. The file was rolled back, and can succeed a moment later.
 */
function isMigrationConflict(error: unknown): boolean {
  return error instanceof MigrationError && isConflict(error.cause);
}

/**
 * Applies `NNNN-name.sql` files in the order of their names, each in its own transaction. Several processes can call it at
 * the same time: one migrates, the others wait. A file that
 * conflicts with other transactions is applied again, for up to 2 minutes.
 *
 * @param options.until the name of the last file to apply; default all
 * @param options.oldest default `oldestLastMigration`
 * @returns `newer` if a newer program that allows this one to run has migrated the database
 * @throws {MigrationError} if a file fails or was changed, or if the database is newer than the files
 */
export async function migrate(
  db: Database,
  directory: string = ownMigrations,
  {
    until,
    oldest = oldestLastMigration,
  }: { until?: string | undefined; oldest?: string | undefined } = {},
): Promise<'done' | 'newer'> {
  const all = await readMigrations(directory);
  const migrations = until === undefined ? all : all.filter(({ name }) => name <= until);
  const giveUpAt = Date.now() + lockTimeoutMs;
  for (;;) {
    const outcome = await db
      .transaction((tx) => applyNext(tx, migrations, oldest), { answerTimeoutMs })
      .catch((error) => {
        if (!isMigrationConflict(error) || Date.now() > giveUpAt) throw error;
        return 'conflict' as const;
      });
    if (outcome === 'done' || outcome === 'newer') return outcome;
    if (outcome === 'applied') continue;
    if (Date.now() > giveUpAt) {
      throw new MigrationError('Another process has been migrating the database for 2 minutes.');
    }
    await wait(lockPauseMs);
  }
}
