import type { Database } from './database/connect.ts';
import type { Jobs } from './database/jobs.ts';
import type { Services } from './graphql/context.ts';

type Parts = { jobs: Jobs; now: () => Date; db: Database; retentionDays: number };

const retentionQueue = 'retention';

/** An upload that moved no byte for this long has lost its process. */
const quietUploadMs = 3_600_000;

/** What an owner spent this long ago has long come back. */
const quietOwnerMs = 3_600_000;

/** Erases, every hour and on one instance, what has been kept long enough. */
export async function startRetention(
  { jobs, now, db, retentionDays }: Parts,
  services: Pick<Services, 'uploads' | 'lipsyncs' | 'quotas'>,
): Promise<void> {
  const { uploads, lipsyncs, quotas } = services;
  const ago = (ms: number) => new Date(now().getTime() - ms);
  if (db.kind === 'embedded') await uploads.failAbandoned(now());
  await jobs.define(retentionQueue, { policy: 'short' });
  await jobs.work(retentionQueue, async () => {
    await lipsyncs.eraseFinishedBefore(ago(retentionDays * 86_400_000));
    await uploads.expireDue();
    await uploads.failAbandoned(ago(quietUploadMs));
    await quotas.eraseBefore(ago(quietOwnerMs));
  });
  await jobs.schedule(retentionQueue, '17 * * * *');
}
