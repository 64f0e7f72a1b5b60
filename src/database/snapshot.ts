import type { Database, Sql } from './sql.ts';

/** Runs `read` on a snapshot of the database, in a read-only transaction. */
export async function readSnapshot<T>(db: Database, read: (tx: Sql) => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only');
    return read(tx);
  });
}

/** The clock of the database server. */
export async function readClock(sql: Sql): Promise<Date> {
  const [clock] = await sql.query<{ at: Date }>('select clock_timestamp() as at');
  if (clock === undefined) throw new Error('The database returned no time.');
  return clock.at;
}
