import type { Sql } from '../../../database/connect.ts';
import { isPositionWorthLogging } from '../progress/estimate.ts';
import { appendPositions } from './events.ts';
import type { Lipsync } from './lipsyncs.ts';

/**
 * The waiting lip-syncs of some owners with their positions. One that a 429 sent back (`attempts` above 0) is next again;
 * it is not counted for those behind it, or their positions would rise.
 */
const positionsOf = (owners: string) =>
  `select id, logged_position,
     (1 + count(*) filter (where attempts = 0) over (
       partition by owner order by queue_order rows between unbounded preceding and 1 preceding
     ))::int as position
   from lipsyncs
   where ${owners} and status = 'QUEUED' and not is_awaiting_file`;

/** The position of each among its owner's waiting lip-syncs, 1 = next. Ids that do not wait are left out. */
export async function readPositions(
  sql: Sql,
  ids: readonly string[],
): Promise<Map<string, number>> {
  const rows = await sql.query<{ id: string; position: number }>(
    `select id, least(position, logged_position) as position
     from (${positionsOf('owner in (select owner from lipsyncs where id = any($1::uuid[]))')}) waiting
     where id = any($1::uuid[])`,
    [ids],
  );
  return new Map(rows.map(({ id, position }) => [id, position]));
}

export async function readPosition(sql: Sql, lipsync: Lipsync): Promise<number | null> {
  if (lipsync.status !== 'QUEUED' || lipsync.isAwaitingFile) return null;
  return (await readPositions(sql, [lipsync.id])).get(lipsync.id) ?? null;
}

/**
 * After a lip-sync left the queue: logs the new positions of the owner's lip-syncs behind it that moved far enough. The
 * SQL repeats `isPositionWorthLogging`, so that few of a long queue's rows are read.
 */
export async function appendPositionEvents(tx: Sql, owner: string, now: Date): Promise<void> {
  const rows = await tx.query<{ id: string; position: number; logged: number | null }>(
    `select id, position, logged_position as logged from (${positionsOf('owner = $1')}) waiting
     where logged_position is null
       or (position < logged_position and (position <= 3 or position * 2 <= logged_position))`,
    [owner],
  );
  const moved = rows.filter(({ logged, position }) => isPositionWorthLogging(logged, position));
  if (moved.length > 0) await appendPositions(tx, moved, now);
}
