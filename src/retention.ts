import type { Database } from './database/connect.ts';
import type { Jobs } from './database/jobs.ts';
import type { Services } from './graphql/context.ts';

type Parts = { jobs: Jobs; now: () => Date; db: Database; retentionDays: number };

const retentionQueue = 'retention';

/** An upload without progress for this long was abandoned by its process. */
const abandonedUploadMs = 3_600_000;

/** An upload that expired or failed is of no use any more. Its client has this long to read why it failed. */
const unusedUploadMs = 86_400_000;

/** A budget per minute is full again long before this: the row of an idle owner can be erased. */
const idleOwnerMs = 3_600_000;

/** Erases old rows, every hour and on one instance. */
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
    await uploads.failAbandoned(ago(abandonedUploadMs));
    await uploads.eraseUnused(ago(unusedUploadMs));
    await quotas.eraseBefore(ago(idleOwnerMs));
  });
  await jobs.schedule(retentionQueue, '17 * * * *');
}
