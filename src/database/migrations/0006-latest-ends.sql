-- How long the last ones took, without a look at all that have ever ended: read while everybody else waits.
create index lipsyncs_completed on lipsyncs (off_peak, finished_at desc) where status = 'COMPLETED';
