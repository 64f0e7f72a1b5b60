import { connectDatabase, type Database } from '../../src/database/connect.ts';
import { createJobs } from '../../src/database/jobs.ts';
import { migrate } from '../../src/database/migrate.ts';
import { createLog } from '../../src/log.ts';

/** Creates our tables and those of the background jobs, as a start of the program does. */
export async function makeTables(options: { url?: string; dataDir: string }): Promise<void> {
  const log = createLog('silent');
  const db = await connectDatabase({ ...options, log });
  try {
    await migrate(db);
    const jobs = createJobs(db, log);
    await jobs.start();
    await jobs.stop();
    if (options.url === undefined) await dropTemplates(db);
  } finally {
    await db.close();
  }
}

/** The embedded database uses `postgres` alone; without the two templates its folder has half the files to copy. */
async function dropTemplates(db: Database): Promise<void> {
  await db.query('update pg_database set datistemplate = false');
  for (const name of ['template0', 'template1']) await db.query(`drop database ${name}`);
}
