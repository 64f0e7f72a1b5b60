import type { Sql } from '../../database/connect.ts';

/*
 * The credits of an account are read now and then, also while it accepts jobs. `spent_since` is the cost of the jobs that were
 * accepted since the stored reading began, and `spent_during` the same for a reading in progress. If a reading already includes
 * the charge of a job that was accepted during it, that job is subtracted twice until the next reading: the known credits can
 * be too low, never too high.
 */

/** @param id of the reading; a reading that begins later replaces it */
export async function beginReading(sql: Sql, accountId: string, id: string): Promise<void> {
  await sql.query('update accounts set reading_id = $2, spent_during = 0 where id = $1', [
    accountId,
    id,
  ]);
}

/** Stores a reading, unless a later one has begun. */
export async function endReading(
  sql: Sql,
  accountId: string,
  reading: { id: string; credits: number | null; beganAt: Date },
): Promise<void> {
  await sql.query(
    `update accounts set credits = $3, credits_at = $4, spent_since = spent_during, reading_id = null
     where id = $1 and reading_id = $2`,
    [accountId, reading.id, reading.credits, reading.beganAt],
  );
}

/** In the transaction that records that a job was accepted. */
export async function recordSpending(tx: Sql, accountId: string, credits: number): Promise<void> {
  await tx.query(
    'update accounts set spent_since = spent_since + $2, spent_during = spent_during + $2 where id = $1',
    [accountId, credits],
  );
}
