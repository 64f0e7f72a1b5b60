import type { Database, Sql } from './sql.ts';

/** Runs `read` on one unchanging state of the database, in a transaction that cannot change anything. */
export async function readSnapshot<T>(db: Database, read: (tx: Sql) => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only');
    return read(tx);
  });
}

/** The time of the database's machine. */
export async function readClock(sql: Sql): Promise<Date> {
  const [clock] = await sql.query<{ at: Date }>('select clock_timestamp() as at');
  if (clock === undefined) throw new Error('The database gave no time.');
  return clock.at;
}
