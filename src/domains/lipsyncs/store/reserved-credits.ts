import type { Sql } from '../../../database/connect.ts';

/** A lip-sync that is being sent. No reading is certain to include its cost. */
export type Reservation = { accountId: string; credits: number; outcomeUnknownAt: Date | null };

export async function readReservations(
  sql: Sql,
  accountIds: readonly string[],
): Promise<Reservation[]> {
  return sql.query<Reservation>(
    `select account_id as "accountId", estimated_credits as credits,
       outcome_unknown_at as "outcomeUnknownAt"
     from lipsyncs where account_id = any($1::text[]) and finished_at is null
       and status = 'SUBMITTING' and estimated_credits is not null`,
    [accountIds],
    { isPrepared: true },
  );
}

/**
 * The expected cost of the waiting lip-syncs, by the account that they must use. The empty id has the cost of those
 * that can use any account.
 */
export async function readWaitingCredits(sql: Sql): Promise<Map<string, number>> {
  const rows = await sql.query<{ id: string; credits: number }>(
    'select account_id as id, credits::float8 as credits from waiting_credits',
  );
  return new Map(rows.map(({ id, credits }) => [id, credits]));
}
