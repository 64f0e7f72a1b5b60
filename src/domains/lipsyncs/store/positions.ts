import type { Sql } from '../../../database/connect.ts';
import { isPositionWorthTelling } from '../progress/estimate.ts';
import { appendPositions, type Lipsync } from './lipsyncs.ts';

/**
 * Those of an owner that wait, in their order. One that a 429 sent back to its old place is next again, and is counted for
 * nobody behind it: else their places would rise.
 */
const places = (owners: string) =>
  `select id, logged_position,
     (1 + count(*) filter (where attempts = 0) over (
       partition by owner order by queue_order rows between unbounded preceding and 1 preceding
     ))::int as position
   from lipsyncs
   where ${owners} and status = 'QUEUED'`;

/** The place of each among its owner's waiting lip-syncs, itself included; null for one that waits no more. */
export async function readPositions(
  sql: Sql,
  ids: readonly string[],
): Promise<Map<string, number>> {
  const rows = await sql.query<{ id: string; position: number }>(
    `select id, least(position, logged_position) as position
     from (${places('owner in (select owner from lipsyncs where id = any($1::uuid[]))')}) places
     where id = any($1::uuid[])`,
    [ids],
  );
  return new Map(rows.map(({ id, position }) => [id, position]));
}

export async function readPosition(sql: Sql, lipsync: Lipsync): Promise<number | null> {
  if (lipsync.status !== 'QUEUED') return null;
  return (await readPositions(sql, [lipsync.id])).get(lipsync.id) ?? null;
}

/** After one of the owner's left the queue: tells those behind it who moved far enough to be told. */
export async function tellPositions(tx: Sql, owner: string, now: Date): Promise<void> {
  const rows = await tx.query<{ id: string; position: number; logged: number | null }>(
    `select id, position, logged_position as logged from (${places('owner = $1')}) places
     where logged_position is null
       or (position < logged_position and (position <= 3 or position * 2 <= logged_position))`,
    [owner],
  );
  const moved = rows.filter(({ logged, position }) => isPositionWorthTelling(logged, position));
  if (moved.length > 0) await appendPositions(tx, moved, now);
}
