import { mkdir } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { connectDatabase, type Database } from '../database/connect.ts';
import type { DumpPart } from '../database/dump/export.ts';
import { countOtherInstances, hasRows, importRows } from '../database/dump/import.ts';
import { inspectMigrations, migrate } from '../database/migrate.ts';
import { markRestored } from '../domains/lipsyncs/store/restored.ts';
import { createLog } from '../log.ts';
import { BackupError, type Entry, entry, type Head, head } from './format.ts';
import { readLines } from './lines.ts';
import { checkPath, hasFiles, stageFiles } from './sandbox-files.ts';
import type { BackupReport } from './write-backup.ts';

export type RestoreOptions = { file: string; isForced: boolean; nothingSentSince: boolean };

/**
 * Puts a backup into the database, in the tables of its version, and then migrates them to those of this program. The
 * files of the sandbox are replaced once the rows are committed. If the process is killed between the two, the restore has
 * to be repeated with `isForced`.
 *
 * @throws BackupError, and DataDirInUseError while a server has the embedded database open
 */
export async function restoreBackup(
  config: Pick<Config, 'database' | 'mode'>,
  options: RestoreOptions,
): Promise<BackupReport> {
  const { url, dataDir } = config.database;
  const made = await checkBackup(options.file);
  await mkdir(dataDir, { recursive: true });
  const db = await connectDatabase({ url, dataDir, log: createLog('silent'), poolSize: 1 });
  try {
    if (!options.isForced && (await hasFiles(dataDir))) throw notEmpty('The sandbox');
    await prepareTables(db, made, options);
    const report =
      config.mode === 'sandbox'
        ? await importWithFiles(db, options, dataDir)
        : { rows: await importAll(db, options, skipFile), files: 0 };
    await migrate(db);
    return report;
  } finally {
    await db.close();
  }
}

async function importWithFiles(
  db: Database,
  options: RestoreOptions,
  dataDir: string,
): Promise<BackupReport> {
  const staged = await stageFiles(dataDir);
  try {
    let files = 0;
    const rows = await importAll(db, options, async (name, pieces) => {
      files += 1;
      await staged.add(name, pieces);
    });
    await staged.replace();
    return { rows, files };
  } finally {
    await staged.discard();
  }
}

/** @returns the number of rows */
async function importAll(
  db: Database,
  { file, nothingSentSince }: RestoreOptions,
  takeFile: TakeFile,
): Promise<number> {
  const lines = readLines(file);
  // The head.
  await nextLine(lines);
  return importRows(db, toParts(lines, takeFile), async (tx) => {
    if (!nothingSentSince) await markRestored(tx);
  });
}

/** Reads the whole file, with the paths in it, before anything is changed. */
async function checkBackup(file: string): Promise<Head> {
  try {
    const lines = readLines(file);
    const made = head.parse(JSON.parse(await nextLine(lines)));
    for await (const _ of toParts(lines, checkFile)) {
      // The row itself is not needed: reading on to the end checks the file.
    }
    const rest = await lines.next();
    if (rest.done !== true) throw new BackupError('The backup has lines after its end.');
    return made;
  } catch (error) {
    if (error instanceof BackupError) throw error;
    throw new BackupError('The file is not a backup of this program, or is damaged.', {
      cause: error,
    });
  }
}

async function prepareTables(
  db: Database,
  { migrations }: Head,
  { isForced }: RestoreOptions,
): Promise<void> {
  const others = await countOtherInstances(db);
  if (others > 0) {
    throw new BackupError('A server is connected to the database. Stop every server first.');
  }
  const { names, pending, problem } = await inspectMigrations(db);
  if (problem !== null) throw new BackupError(problem);
  const known = [...names, ...pending];
  if (!migrations.every((name, at) => known[at] === name)) {
    throw new BackupError('A newer version of this program made the backup. Use that version.');
  }
  if (!isForced && (await hasRows(db))) throw notEmpty('The database');
  if (names.length > migrations.length) {
    throw new BackupError(
      'The backup has the tables of an older version. Restore it into an empty database, which is then upgraded.',
    );
  }
  await migrate(db, undefined, { until: migrations.at(-1) });
}

function notEmpty(what: string): BackupError {
  return new BackupError(`${what} is not empty. Use --force to replace what it contains.`);
}

type TakeFile = (name: string, pieces: AsyncIterable<string>) => Promise<void>;

/** The rows and sequences, in order. @throws BackupError if the end is missing */
async function* toParts(
  lines: AsyncGenerator<string>,
  takeFile: TakeFile,
): AsyncGenerator<DumpPart> {
  const seen = { rows: 0, files: 0 };
  for (;;) {
    const next: Entry = entry.parse(JSON.parse(await nextLine(lines)));
    if ('end' in next) {
      if (next.rows === seen.rows && next.files === seen.files) return;
      throw new BackupError('The backup is incomplete.');
    }
    if ('sequence' in next) {
      const { sequence: name, value, isCalled } = next;
      yield { kind: 'sequence', name, value, isCalled };
    } else if ('table' in next) {
      seen.rows += next.count;
      yield { kind: 'rows', ...next, rows: await nextLine(lines) };
    } else {
      seen.files += 1;
      await takeFile(next.file, takeLines(lines, next.pieces));
    }
  }
}

async function checkFile(name: string, pieces: AsyncIterable<string>): Promise<void> {
  checkPath(name);
  await skipFile(name, pieces);
}

async function skipFile(_: string, pieces: AsyncIterable<string>): Promise<void> {
  for await (const _piece of pieces) {
    // Only the presence of the end is checked.
  }
}

async function* takeLines(lines: AsyncGenerator<string>, count: number): AsyncGenerator<string> {
  for (let taken = 0; taken < count; taken += 1) yield await nextLine(lines);
}

async function nextLine(lines: AsyncGenerator<string>): Promise<string> {
  const { value, done } = await lines.next();
  if (done === true || typeof value !== 'string')
    throw new BackupError('The backup is incomplete.');
  return value;
}
