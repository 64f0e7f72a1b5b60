import type { Sql } from '../../database/connect.ts';
import { QuotaExceededError } from '../../errors.ts';
import type { UploadDependencies } from './dependencies.ts';
import { countWaiting, deleteUnused } from './store.ts';

/*
 * Bounds the rows of uploads whose file never arrives: creating an upload costs its caller nothing.
 */

/** Waiting uploads of one owner. A client creates one for each file that it is about to send. */
const defaultMaxWaiting = 10_000;

/** An arbitrary wait: it is unknown when the owner's clients send their files. */
const retryAfterSeconds = 60;

/** Rows that are erased at a time, so that no other query waits for long. */
const eraseBatch = 5_000;

/**
 * Concurrent calls can exceed the limit by their number.
 *
 * @param createdAfter older ones have expired
 * @throws {QuotaExceededError}
 */
export async function checkWaiting(
  { db, maxWaiting: max = defaultMaxWaiting }: UploadDependencies,
  owner: string,
  createdAfter: Date,
): Promise<void> {
  if ((await countWaiting(db, { owner, createdAfter, max })) < max) return;
  throw new QuotaExceededError(`${max} waiting uploads`, retryAfterSeconds);
}

/** Erases expired and failed uploads that were created before this moment. @returns their number */
export async function eraseUnused(sql: Sql, createdBefore: Date): Promise<number> {
  let erased = 0;
  for (let batch = eraseBatch; batch === eraseBatch; erased += batch) {
    batch = await deleteUnused(sql, createdBefore, eraseBatch);
  }
  return erased;
}
