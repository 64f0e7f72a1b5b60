import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { connectDatabase, type Sql } from '../database/connect.ts';
import { exportRows } from '../database/dump/export.ts';
import { inspectMigrations } from '../database/migrate.ts';
import { readSnapshot } from '../database/snapshot.ts';
import { createLog } from '../log.ts';
import { BackupError, type Entry, type Head } from './format.ts';
import { writeLines } from './lines.ts';
import { exportFiles } from './sandbox-files.ts';

export type BackupReport = { rows: number; files: number };

type Source = Pick<Config, 'database' | 'mode'>;

/**
 * Writes a backup of one unchanging state of the database.
 *
 * @throws BackupError, and DataDirInUseError while a server has the embedded database open
 */
export async function writeBackup(
  config: Source,
  { file, isForced, now = new Date() }: { file: string; isForced: boolean; now?: Date },
): Promise<BackupReport> {
  const { url, dataDir } = config.database;
  if (!isForced && (await exists(file))) {
    throw new BackupError('The file exists already. Name another one, or use --force.');
  }
  if (url === null && !(await exists(join(dataDir, 'database', 'PG_VERSION')))) {
    throw new BackupError('There is no database in DATA_DIR.');
  }
  const db = await connectDatabase({ url, dataDir, log: createLog('silent'), poolSize: 1 });
  try {
    const report = { rows: 0, files: 0 };
    await readSnapshot(db, async (tx) => {
      const { names, problem } = await inspectMigrations(tx);
      if (problem !== null) throw new BackupError(problem);
      if (names.length === 0) throw new BackupError('The database has no tables.');
      const head: Head = {
        format: 'lipsync-graphql backup 1',
        madeAt: now.toISOString(),
        store: db.kind,
        migrations: names,
      };
      await writeLines(file, toLines({ tx, head, report, config }));
    });
    return report;
  } finally {
    await db.close();
  }
}

async function* toLines(parts: {
  tx: Sql;
  head: Head;
  report: BackupReport;
  config: Source;
}): AsyncGenerator<string> {
  const { tx, head, report, config } = parts;
  yield JSON.stringify(head);
  for await (const part of exportRows(tx)) {
    if (part.kind === 'rows') {
      report.rows += part.count;
      yield lineOf({ table: part.table, count: part.count });
      yield part.rows;
    } else {
      yield lineOf({ sequence: part.name, value: part.value, isCalled: part.isCalled });
    }
  }
  if (config.mode === 'sandbox') {
    for await (const { path, pieces, read } of exportFiles(config.database.dataDir)) {
      report.files += 1;
      yield lineOf({ file: path, pieces });
      yield* read();
    }
  }
  yield lineOf({ end: true, ...report });
}

function lineOf(entry: Entry): string {
  return JSON.stringify(entry);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
