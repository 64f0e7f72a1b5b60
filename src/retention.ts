import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from './database/connect.ts';
import type { Jobs } from './database/jobs.ts';
import { vacuumChangedTables } from './database/vacuum.ts';
import type { Services } from './graphql/context.ts';

type Parts = { jobs: Jobs; now: () => Date; db: Database; retentionDays: number };

const retentionQueue = 'retention';

/** Rows of one transaction, which takes some ten milliseconds: on the embedded database every other query waits for it. */
const rowsOfBatch = 100;

/** After a long outage there can be millions of rows: 2,000 rows a second are erased. */
const expireInSeconds = 6 * 3_600;

/** NOTIFY starts a job at once. This is how late a repeated one can be: searching twice a second costs more than it gains. */
const pollingIntervalSeconds = 10;

/** An upload that expired or failed is of no use any more. Its client has this long to read why it failed. */
const unusedUploadMs = 86_400_000;

/** A budget per minute is full again long before this: the row of an idle owner can be erased. */
const idleOwnerMs = 3_600_000;

/** Erases old rows every hour, in batches. Several instances at once share the rows: none is erased twice. */
export async function startRetention(
  { jobs, now, db, retentionDays }: Parts,
  services: Pick<Services, 'uploads' | 'lipsyncs' | 'quotas'>,
): Promise<{ stop: () => void }> {
  const { uploads, lipsyncs, quotas } = services;
  const stopping = new AbortController();
  const ago = (ms: number) => new Date(now().getTime() - ms);
  await jobs.define(retentionQueue, { policy: 'short', expireInSeconds });
  const eraseOld = async () => {
    for (const eraseBatch of lipsyncs.eraseOldBatches(ago(retentionDays * 86_400_000))) {
      await eraseAll(eraseBatch, stopping.signal);
    }
    await eraseAll(uploads.eraseReadyBatch(ago(retentionDays * 86_400_000)), stopping.signal);
    if (stopping.signal.aborted) return;
    await uploads.expireDue();
    await uploads.eraseUnused(ago(unusedUploadMs));
    await quotas.eraseBefore(ago(idleOwnerMs));
    if (db.kind === 'embedded') await vacuumChangedTables(db);
  };
  await jobs.work(retentionQueue, eraseOld, { pollingIntervalSeconds });
  await jobs.schedule(retentionQueue, '17 * * * *');
  return { stop: () => stopping.abort() };
}

/** Pauses for as long as each batch took, so that at least half of the database's time is left for requests. */
async function eraseAll(
  eraseBatch: (limit: number) => Promise<number>,
  stopping: AbortSignal,
): Promise<void> {
  while (!stopping.aborted) {
    const startedAt = performance.now();
    const count = await eraseBatch(rowsOfBatch);
    if (count < rowsOfBatch) return;
    await wait(performance.now() - startedAt);
  }
}
