-- Without the lip-syncs that ended while they waited for a file: the search for files that have arrived found a hundred of them
-- again and again, and no other.
create index lipsyncs_waiting_for_file on lipsyncs (queue_order) where status = 'QUEUED' and is_awaiting_file;
drop index lipsyncs_awaiting_file;
