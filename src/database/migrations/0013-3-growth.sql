-- Each read of a page, a limit or a batch has an index that leads to its rows, however many others there are.
-- Building these blocks writes to the table meanwhile: seconds for each million rows.
set local statement_timeout = 0;

drop index lipsyncs_by_source;
drop index lipsyncs_by_result;
create index lipsyncs_by_source on lipsyncs (source_video_id, owner) where source_video_id is not null;
create index lipsyncs_by_result on lipsyncs (result_video_id, owner) where result_video_id is not null;

-- An owner's list by status, and by reference. The hash, because a reference can be larger than an index entry.
create index lipsyncs_by_status on lipsyncs (owner, status, created_at, id);
create index lipsyncs_by_reference on lipsyncs (owner, hashtextextended(reference, 0), status, created_at, id)
  where reference is not null;
create index lipsyncs_unfinished on lipsyncs (owner) where finished_at is null;

create index erasures_by_turn on erasures (owner, off_peak, turn desc);
create index erasures_old on erasures (created_at);
create index refusals_old on refusals (refused_at);
create index uploads_waiting on uploads (expires_at) where state = 'WAITING';
create index uploads_receiving on uploads (id) where state = 'RECEIVING';
