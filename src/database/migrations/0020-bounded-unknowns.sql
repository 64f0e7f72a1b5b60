-- How often the scheduler and the list of videos were read since the outcome of the POST became unknown, up to three.
alter table lipsyncs add column scheduler_reads integer not null default 0;
alter table lipsyncs add column list_reads integer not null default 0;

-- Lip-syncs that FAILED because their outcome was unknown. Their jobs are searched for a while longer.
create index lipsyncs_failed_unknown on lipsyncs (account_id, post_started_at)
  where failure ->> 'code' = 'OUTCOME_UNKNOWN';
