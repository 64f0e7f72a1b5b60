-- Waiting lip-syncs by what they can be sent to: whether one waits for a slot that is free is known without reading the queue.
create index lipsyncs_queued on lipsyncs (off_peak, account_id) where status = 'QUEUED';
