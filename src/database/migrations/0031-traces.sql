-- The request that created a row and the span in which it did: lines of the log and spans of later work name them, on every
-- instance.
alter table lipsyncs add column request_id text, add column traceparent text;
alter table uploads add column request_id text, add column traceparent text;

-- lipsyncs, for webhooks: what the webhook of an event says, and the trace that it belongs to.
create or replace view lipsync_webhook_events as
select event.lipsync_id, event.sequence, event.status, event.failure, event.occurred_at, lipsyncs.reference,
  result.video ->> 'url' as result_url,
  (result.video ->> 'durationSeconds')::float8 as result_seconds,
  lipsyncs.request_id, lipsyncs.traceparent
from lipsync_events event join lipsyncs on lipsyncs.id = event.lipsync_id
left join stored_videos result on result.key = lipsyncs.result_video_id;
