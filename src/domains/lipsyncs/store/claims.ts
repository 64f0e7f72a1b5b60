import type { Sql } from '../../../database/connect.ts';
import type { Lipsync } from './lipsyncs.ts';

/**
 * Marks that the POST of this attempt starts now. False if the claim was lost or `expiresAt` has passed. Idempotent for
 * the same `at`, because no other process marks this attempt.
 */
export async function markPostStarted(sql: Sql, lipsync: Lipsync, at: Date): Promise<boolean> {
  const rows = await sql.query(
    `update lipsyncs set post_started_at = $2
     where id = $1 and status = 'SUBMITTING' and attempts = $3
       and (post_started_at is null or post_started_at = $2)
       and (expires_at is null or expires_at > $2)
     returning id`,
    [lipsync.id, at, lipsync.attempts],
  );
  return rows.length > 0;
}

/** Ids of claims whose lease is over, without a lock. `now` null: all leases count as over. */
export async function findAbandonedClaims(sql: Sql, now: Date | null): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `select id from lipsyncs
     where finished_at is null and status = 'SUBMITTING' and outcome_unknown_at is null
       and ($1::timestamptz is null or lease_until <= $1)`,
    [now],
  );
  return rows.map(({ id }) => id);
}

/** The upstream names one id for a POST, at most a few. More come from forged or faulty callbacks. */
const maxHints = 8;

/** Stands among the hinted ids for a callback that named no video. */
export const hintWithoutId = '';

/** Stores the video id that a callback named, or `hintWithoutId`, while the id of the lip-sync's own job is not known. */
export async function addHintedVideoId(sql: Sql, id: string, videoId: string): Promise<void> {
  await sql.query(
    `update lipsyncs set hinted_video_ids = array_append(hinted_video_ids, $2)
     where id = $1 and upstream_video_id is null and post_started_at is not null
       and not ($2 = any(hinted_video_ids)) and cardinality(hinted_video_ids) < ${maxHints}`,
    [id, videoId],
  );
}

export async function isUpstreamIdTaken(sql: Sql, upstreamVideoId: string): Promise<boolean> {
  const rows = await sql.query('select 1 from lipsyncs where upstream_video_id = $1', [
    upstreamVideoId,
  ]);
  return rows.length > 0;
}
