-- Waiting lip-syncs by what they can be sent to: whether one waits for a slot that is free is known without reading the queue.
create index lipsyncs_queued on lipsyncs (off_peak, account_id) where status = 'QUEUED';
-- What an instance looks for every second, however many wait: those that expire, and those that are with the upstream.
create index lipsyncs_expiring on lipsyncs (expires_at) where status = 'QUEUED' and expires_at is not null;
create index lipsyncs_running on lipsyncs (account_id) where finished_at is null and status <> 'QUEUED';

-- How many lip-syncs of each owner wait, and how many of those were never sent. Kept by triggers, so that a decision about a
-- new one does not count the queue. Every change of it is made under the queue's lock.
create table waiting_counts (
  owner text primary key,
  waiting integer not null,
  never_sent integer not null
);

create function count_queued() returns trigger language plpgsql as $$
begin
  insert into waiting_counts (owner, waiting, never_sent)
  select owner, count(*), count(*) filter (where attempts = 0)
  from fresh where status = 'QUEUED' group by owner order by owner
  on conflict (owner) do update set waiting = waiting_counts.waiting + excluded.waiting,
    never_sent = waiting_counts.never_sent + excluded.never_sent;
  return null;
end $$;

create function recount_waiting() returns trigger language plpgsql as $$
declare
  was_waiting boolean := old.status = 'QUEUED';
  is_waiting boolean := coalesce(new.status = 'QUEUED', false);
begin
  insert into waiting_counts (owner, waiting, never_sent)
  values (old.owner, is_waiting::int - was_waiting::int,
    (is_waiting and new.attempts = 0)::int - (was_waiting and old.attempts = 0)::int)
  on conflict (owner) do update set waiting = waiting_counts.waiting + excluded.waiting,
    never_sent = waiting_counts.never_sent + excluded.never_sent;
  delete from waiting_counts where owner = old.owner and waiting = 0;
  return null;
end $$;

create trigger lipsyncs_inserted after insert on lipsyncs
  referencing new table as fresh for each statement execute function count_queued();
create trigger lipsyncs_updated after update on lipsyncs for each row
  when ((old.status = 'QUEUED' or new.status = 'QUEUED') and (old.status, old.attempts) <> (new.status, new.attempts))
  execute function recount_waiting();
create trigger lipsyncs_deleted after delete on lipsyncs for each row
  when (old.status = 'QUEUED') execute function recount_waiting();

insert into waiting_counts (owner, waiting, never_sent)
select owner, count(*), count(*) filter (where attempts = 0)
from lipsyncs where status = 'QUEUED' group by owner;
