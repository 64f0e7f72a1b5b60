-- The copies that the lip-syncs had before the trigger. Reads all of `lipsyncs` and blocks no writes. A video that was
-- deleted has no URL in any copy.
set local statement_timeout = 0;

insert into videos (key, video)
select result_video_id, result_video from lipsyncs where result_video_id is not null and result_video is not null
on conflict do nothing;

insert into videos (key, video)
select distinct on (source_video_id) source_video_id, source_video
from lipsyncs where source_video_id is not null and source_video is not null
on conflict do nothing;

insert into owner_videos (owner, key, status, created_at)
select used.owner, used.key,
  case when video ->> 'status' = 'COMPLETED' and video ->> 'url' is null then null
    else coalesce(video ->> 'status', 'UNKNOWN') end,
  coalesce((video ->> 'createdAt')::timestamptz, 'epoch')
from (
  select owner, result_video_id as key from lipsyncs
  union
  select owner, source_video_id from lipsyncs
) used join videos using (key)
on conflict do nothing;
