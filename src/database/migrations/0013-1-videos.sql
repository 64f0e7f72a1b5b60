-- One row for each video that a lip-sync used or made. Until now each lip-sync had a copy of its own.
create table videos (
  key text primary key,
  -- `StoredVideo` in src/domains/videos/stored-video.ts.
  video jsonb not null
);

-- The videos of each owner's list, in its order.
create table owner_videos (
  owner text not null,
  key text not null,
  -- Of the video. Null after it was deleted at the service: it is in no list then.
  status text,
  -- 1970 if the service gives no time.
  created_at timestamptz not null,
  -- The number at the end of the service's id. Too large for bigint.
  number numeric not null generated always as (coalesce(nullif(substr(key, 10), ''), '0')::numeric) stored,
  primary key (owner, key)
);

create index owner_videos_listed on owner_videos (owner, status, created_at, number, key collate "C")
  where status is not null;
create index owner_videos_by_key on owner_videos (key);

create function keep_copied_video(video_owner text, video_key text, copy jsonb) returns void language sql as $$
  insert into videos (key, video) values (video_key, copy)
  on conflict (key) do update set video = excluded.video where excluded.video ->> 'url' is null;
  insert into owner_videos (owner, key, status, created_at)
  values (video_owner, video_key,
    case when copy ->> 'status' = 'COMPLETED' and copy ->> 'url' is null then null
      else coalesce(copy ->> 'status', 'UNKNOWN') end,
    coalesce((copy ->> 'createdAt')::timestamptz, 'epoch'))
  on conflict (owner, key) do update set status = excluded.status where excluded.status is null
$$;

-- An instance of the version before still writes the copies, also while this migration runs. This version writes neither of
-- the two columns, so the trigger costs it nothing.
create function keep_copied_videos() returns trigger language plpgsql as $$
begin
  if new.source_video_id is not null and new.source_video is not null then
    perform keep_copied_video(new.owner, new.source_video_id, new.source_video);
  end if;
  if new.result_video_id is not null and new.result_video is not null then
    perform keep_copied_video(new.owner, new.result_video_id, new.result_video);
  end if;
  return null;
end $$;

create trigger keep_copied_videos after insert or update of source_video, result_video on lipsyncs
for each row when (new.source_video is not null or new.result_video is not null)
execute function keep_copied_videos();

-- videos, for lipsyncs and for the view below.
create view stored_videos as select key, video from videos;

-- lipsyncs, for videos: each video that a lip-sync used (SOURCE) or made (RESULT). The video itself is for instances of the
-- version before.
create or replace view lipsync_videos as
select owner, 'RESULT'::text as role, result_video_id as key, kept.video
from lipsyncs left join stored_videos kept on kept.key = result_video_id
where result_video_id is not null
union all
select owner, 'SOURCE'::text, source_video_id, kept.video
from lipsyncs left join stored_videos kept on kept.key = source_video_id
where source_video_id is not null;

-- lipsyncs, for webhooks: what the webhook of an event says.
create or replace view lipsync_webhook_events as
select event.lipsync_id, event.sequence, event.status, event.failure, event.occurred_at, lipsyncs.reference,
  result.video ->> 'url' as result_url,
  (result.video ->> 'durationSeconds')::float8 as result_seconds
from lipsync_events event join lipsyncs on lipsyncs.id = event.lipsync_id
left join stored_videos result on result.key = lipsyncs.result_video_id;
