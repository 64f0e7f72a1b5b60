-- Each table belongs to one part of the program. What other parts may read of it is declared here, as views.

-- lipsyncs, for accounts: how many unfinished lip-syncs hold a slot of each account, and how many wait for it.
create view account_load as
select account_id, (count(*) filter (where holds_slot))::int as in_flight,
  (count(*) filter (where status = 'QUEUED'))::int as waiting
from lipsyncs
where finished_at is null and account_id is not null
group by account_id;

-- lipsyncs, for videos: each video that a lip-sync used (SOURCE) or made (RESULT), and the copy that is stored with it.
create view lipsync_videos as
select owner, 'RESULT'::text as role, result_video_id as key, result_video as video from lipsyncs
where result_video_id is not null
union all
select owner, 'SOURCE'::text, source_video_id, source_video from lipsyncs
where source_video_id is not null;

-- lipsyncs, for webhooks: what the webhook of an event says.
create view lipsync_webhook_events as
select event.lipsync_id, event.sequence, event.status, event.failure, event.occurred_at, lipsyncs.reference,
  lipsyncs.result_video ->> 'url' as result_url,
  (lipsyncs.result_video ->> 'durationSeconds')::float8 as result_seconds
from lipsync_events event join lipsyncs on lipsyncs.id = event.lipsync_id;

-- webhooks, for lipsyncs: deliveries that are still tried, and until when the next attempt is due or under way.
create view pending_webhooks as
select lipsync_id, greatest(next_attempt_at, claimed_until) as due_at
from webhook_deliveries
where state = 'PENDING';
