import { connectDatabase, type Database } from '../../src/database/connect.ts';
import { createJobs, type Jobs } from '../../src/database/jobs.ts';
import { silentLog, type TestStorage, testStorage } from '../support/database.ts';

export type StartedJobs = { storage: TestStorage; db: Database; jobs: Jobs };

/** Background jobs on a database that holds only the tables of pg-boss. */
export async function startJobs(): Promise<StartedJobs> {
  const storage = await testStorage({ migrated: false });
  const db = await connectDatabase(storage);
  const jobs = createJobs(db, silentLog);
  await jobs.start();
  return { storage, db, jobs };
}

export async function stopJobs({ storage, db, jobs }: StartedJobs): Promise<void> {
  await jobs.stop();
  await db.close();
  await storage.remove();
}
