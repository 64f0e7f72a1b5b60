import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { connectDatabase, type Database, type Sql } from '../database/connect.ts';
import { DataDirInUseError } from '../database/lock.ts';
import { inspectMigrations } from '../database/migrate.ts';
import { readClock, readSnapshot } from '../database/snapshot.ts';
import type { Log } from '../log.ts';
import { judgeAccounts, readAccountStates } from './check-accounts.ts';
import { checkClock } from './check-clock.ts';
import { checkLipsyncs } from './check-lipsyncs.ts';
import { error, type Finding, inOrder, skipped, warning } from './finding.ts';

export type DatabaseReport = {
  findings: Finding[];
  /** The database is in use, so that only the running server can read it. */
  isInUse: boolean;
};

/** Opens the database, unless another process has its folder, and reads it in one read-only transaction. */
export async function checkDatabase(
  config: Pick<Config, 'database' | 'timing'>,
  { log, now }: { log: Log; now: () => Date },
): Promise<DatabaseReport> {
  const { url, dataDir } = config.database;
  // Opening it would create it.
  if (url === null && !(await exists(join(dataDir, 'database', 'PG_VERSION')))) {
    const text = 'There is no database in DATA_DIR yet: the first start creates it.';
    return { findings: [skipped('database', text)], isInUse: false };
  }
  let db: Database;
  try {
    db = await connectDatabase({ url, dataDir, log, poolSize: 1 });
  } catch (thrown) {
    return describeFailure(thrown, url !== null);
  }
  try {
    const findings = await readSnapshot(db, (tx) =>
      readDatabase(tx, { timing: config.timing, now, isPostgres: url !== null }),
    );
    return { findings, isInUse: false };
  } catch (thrown) {
    return describeFailure(thrown, url !== null);
  } finally {
    await db.close();
  }
}

async function readDatabase(
  tx: Sql,
  { timing, now, isPostgres }: { timing: Config['timing']; now: () => Date; isPostgres: boolean },
): Promise<Finding[]> {
  const before = now();
  const theirs = await readClock(tx);
  const after = now();
  const opened = isPostgres ? 'PostgreSQL answers.' : 'The embedded database opens.';
  const findings = [inOrder('database', opened)];
  if (isPostgres) findings.push(...checkClock({ of: 'PostgreSQL', theirs, before, after }));
  const { pending, applied, problem, isNewer } = await inspectMigrations(tx);
  if (problem !== null) {
    const advice = 'Start the version that made this database, or restore a backup of it.';
    return [...findings, error('migrations', 'migrations-unknown', { message: problem, advice })];
  }
  if (pending.length > 0) {
    return [...findings, describePending(pending, applied)];
  }
  findings.push(
    isNewer ? describeNewer() : inOrder('migrations', `All ${applied} migrations are applied.`),
  );
  findings.push(...judgeAccounts(await readAccountStates(tx)));
  findings.push(...(await checkLipsyncs(tx, { timing, now: now() })));
  return findings;
}

function describeNewer(): Finding {
  return warning('migrations', 'migrations-newer', {
    message: 'A newer version made the tables. This one can work with them.',
    advice:
      'Return to the newer version when its fault is mended. An older version than this one cannot use the database.',
  });
}

function describePending(pending: readonly string[], applied: number): Finding {
  if (applied === 0) {
    return skipped('migrations', 'The database is empty: the first start creates its tables.');
  }
  return warning('migrations', 'migrations-pending', {
    message: `${pending.length} migrations are not applied: ${pending.join(', ')}.`,
    advice:
      'The next start applies them. docs/operations.md says what they cost. Lip-syncs and accounts were not read.',
  });
}

function describeFailure(thrown: unknown, isPostgres: boolean): DatabaseReport {
  if (thrown instanceof DataDirInUseError) {
    const text = 'The embedded database is in use by another process, so it was not opened.';
    return { findings: [skipped('database', text)], isInUse: true };
  }
  if (isPostgres) {
    // The message of `openPostgres` has a code such as ECONNREFUSED or 28P01, and no part of the URL.
    const message = thrown instanceof Error ? thrown.message : 'The database cannot be read.';
    const advice =
      'ECONNREFUSED or ENOTFOUND: host or port of DATABASE_URL; 28P01: user or password; 3D000: create the database.';
    return {
      findings: [error('database', 'database-unreachable', { message, advice })],
      isInUse: false,
    };
  }
  return {
    findings: [
      error('database', 'database-damaged', {
        message: 'The embedded database in DATA_DIR cannot be opened.',
        advice: 'Restore a backup: `npm run restore`. Keep the folder: it may be repaired by hand.',
      }),
    ],
    isInUse: false,
  };
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
