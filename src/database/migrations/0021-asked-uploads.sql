-- The uploads that a lip-sync was asked for with. Until now only the paths of their files were kept. No foreign key: an upload
-- can be deleted before the lip-sync.
alter table lipsyncs add column source_upload_id uuid, add column speech_upload_id uuid;

update lipsyncs set source_upload_id = uploads.id
from uploads
where uploads.path = lipsyncs.source_path and uploads.owner = lipsyncs.owner and lipsyncs.source_path is not null;

update lipsyncs set speech_upload_id = uploads.id
from uploads
where uploads.path = lipsyncs.audio_path and uploads.owner = lipsyncs.owner and lipsyncs.audio_path is not null;

-- Uploads that lip-syncs will be sent with: they are not deleted.
create index lipsyncs_waiting_for_source on lipsyncs (source_upload_id)
  where source_upload_id is not null and status in ('QUEUED', 'SUBMITTING');
create index lipsyncs_waiting_for_speech on lipsyncs (speech_upload_id)
  where speech_upload_id is not null and status in ('QUEUED', 'SUBMITTING');

-- lipsyncs, for uploads: each upload that a lip-sync will be sent with.
create view uploads_to_send as
select source_upload_id as upload_id from lipsyncs
where source_upload_id is not null and status in ('QUEUED', 'SUBMITTING')
union all
select speech_upload_id from lipsyncs
where speech_upload_id is not null and status in ('QUEUED', 'SUBMITTING');
