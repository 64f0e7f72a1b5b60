import { connectDatabase } from '../../src/database/connect.ts';
import { createJobs } from '../../src/database/jobs.ts';
import { migrate } from '../../src/database/migrate.ts';
import { createLog } from '../../src/log.ts';

/** Our tables and those of the background jobs, as a start makes them. */
export async function makeTables(options: { url?: string; dataDir: string }): Promise<void> {
  const log = createLog('silent');
  const db = await connectDatabase({ ...options, log });
  try {
    await migrate(db);
    const jobs = createJobs(db, log);
    await jobs.start();
    await jobs.stop();
  } finally {
    await db.close();
  }
}
