-- A lip-sync that waits for a file to arrive: it has no position, and no other lip-sync waits for it.
alter table lipsyncs add column is_awaiting_file boolean not null default false;

create index lipsyncs_awaiting_file on lipsyncs (queue_order) where is_awaiting_file;

-- Those that could be sent now.
drop index lipsyncs_queued;
create index lipsyncs_queued on lipsyncs (off_peak, account_id) where status = 'QUEUED' and not is_awaiting_file;

-- One that awaits a file takes a place of the queue, and is not in front of any other.
create or replace function count_queued() returns trigger language plpgsql as $$
begin
  insert into waiting_counts (owner, waiting, never_sent)
  select owner, count(*), count(*) filter (where attempts = 0 and not is_awaiting_file)
  from fresh where status = 'QUEUED' group by owner order by owner
  on conflict (owner) do update set waiting = waiting_counts.waiting + excluded.waiting,
    never_sent = waiting_counts.never_sent + excluded.never_sent;
  return null;
end $$;

create or replace function recount_waiting() returns trigger language plpgsql as $$
declare
  was_waiting boolean := old.status = 'QUEUED';
  is_waiting boolean := coalesce(new.status = 'QUEUED', false);
begin
  insert into waiting_counts (owner, waiting, never_sent)
  values (old.owner, is_waiting::int - was_waiting::int,
    (is_waiting and new.attempts = 0 and not new.is_awaiting_file)::int
      - (was_waiting and old.attempts = 0 and not old.is_awaiting_file)::int)
  on conflict (owner) do update set waiting = waiting_counts.waiting + excluded.waiting,
    never_sent = waiting_counts.never_sent + excluded.never_sent;
  delete from waiting_counts where owner = old.owner and waiting = 0;
  return null;
end $$;

drop trigger lipsyncs_updated on lipsyncs;
create trigger lipsyncs_updated after update on lipsyncs for each row
  when ((old.status = 'QUEUED' or new.status = 'QUEUED')
    and (old.status, old.attempts, old.is_awaiting_file) <> (new.status, new.attempts, new.is_awaiting_file))
  execute function recount_waiting();
