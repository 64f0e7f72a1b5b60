import type { Database } from '../../src/database/connect.ts';
import type { StoredVideo } from '../../src/domains/videos/service.ts';

export type History = {
  owner: string;
  /** The number of finished lip-syncs, oldest first, and which of them are inserted. */
  count: number;
  from?: number;
  to?: number;
  /** The video from which all of them were made: the key of `VideoIds`. */
  sourceKey: string;
  /** The account that made them. Default: none is known. */
  accountId?: string;
};

const video = (key: string): StoredVideo => ({
  key,
  status: 'COMPLETED',
  url: 'https://media.example/result.mp4',
  posterUrl: 'https://media.example/result.webp',
  lastFrameUrl: null,
  prompt: 'A person speaks to the camera.',
  negativePrompt: null,
  model: 'v5',
  quality: '720p',
  aspectRatio: '16:9',
  width: 1280,
  height: 720,
  durationSeconds: 8,
  seed: 7,
  createdAt: null,
  isOffPeak: false,
});

/**
 * Finished lip-syncs of one owner, all made from one video, with the rows that the program leaves for them: a result, two
 * events and an idempotency key each, a webhook for every fourth and an upload for every fifth. They ended one after another
 * in the time from 29 days to 25 hours ago; every 40th FAILED. Each cost 20 credits. All have the reference `campaign`. Writes no statistics.
 */
export async function fillHistory(
  db: Database,
  { owner, count, from = 1, to = count, sourceKey, accountId }: History,
) {
  const numbers = `generate_series(${from}, ${to}) n`;
  const at = `date_trunc('milliseconds', now() - interval '25 hours' - (${count} - n) * interval '27 days' / ${count})`;
  const id = `('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
  const isFailed = 'n % 40 = 0';
  await db.query(`insert into videos (key, video) select $1, $2::jsonb on conflict do nothing`, [
    sourceKey,
    video(sourceKey),
  ]);
  await db.query(
    `insert into owner_videos (owner, key, status, created_at) values ($1, $2, 'COMPLETED', 'epoch')
     on conflict do nothing`,
    [owner, sourceKey],
  );
  const results = `select 'result00-' || n as key, ${at} as at from ${numbers} where not ${isFailed}`;
  await db.query(
    `insert into videos (key, video)
     select key, $1::jsonb || jsonb_build_object('key', key, 'createdAt', at) from (${results}) made`,
    [video('')],
  );
  await db.query(
    `insert into owner_videos (owner, key, status, created_at)
     select $1, key, 'COMPLETED', at from (${results}) made`,
    [owner],
  );
  await db.query(
    `insert into lipsyncs (id, owner, status, sequence, reference, text, source_video_id, result_video_id,
       idempotency_key, fingerprint, upstream_video_id, logged_percent, failure,
       created_at, claimed_at, submitted_at, finished_at, turn, callback_url, account_id, credits_charged)
     select ${id}, $1, case when ${isFailed} then 'FAILED' else 'COMPLETED' end, 2, 'campaign',
       'Good evening, number ' || n, $2, case when not ${isFailed} then 'result00-' || n end,
       'key ' || n, 'none', 'upstream-' || n, 100,
       case when ${isFailed} then '{"code": "GENERATION_FAILED", "message": "It failed."}'::jsonb end,
       ${at}, ${at}, ${at}, ${at} + interval '1 minute', nextval('turns'), 'https://receiver.example/hook', $3,
       20
     from ${numbers}`,
    [owner, sourceKey, accountId ?? null],
  );
  await db.query(
    `insert into lipsync_events (lipsync_id, sequence, status, percent, source, occurred_at)
     select ${id}, sequence,
       case when sequence = 1 then 'SUBMITTED' when ${isFailed} then 'FAILED' else 'COMPLETED' end, 0, 'POLL', ${at}
     from ${numbers}, generate_series(1, 2) sequence`,
  );
  await db.query(
    `insert into webhook_deliveries (id, owner, lipsync_id, event_sequence, event_type, url, state, attempts,
       last_status, last_attempt_at, delivered_at, created_at)
     select ${id}, $1, ${id}, 2, 'lipsync.completed', 'https://receiver.example/hook', 'DELIVERED', 1, 204,
       ${at}, ${at}, ${at}
     from ${numbers} where n % 4 = 0`,
    [owner],
  );
  await db.query(
    `insert into uploads (id, owner, kind, state, content_type, size, path, created_at, expires_at)
     select ${id}, $1, 'AUDIO', 'READY', 'audio/wav', 1000, 'path', ${at}, ${at}
     from ${numbers} where n % 5 = 0`,
    [owner],
  );
}

/** The id of the n-th of `fillHistory`, from 1, oldest first. */
export function historicId(n: number): string {
  return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}
