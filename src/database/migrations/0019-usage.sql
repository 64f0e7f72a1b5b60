-- The service refunds what its moderation rejects.
set local statement_timeout = 0;
update lipsyncs set credits_charged = 0 where status = 'MODERATED' and credits_charged <> 0;

-- What each owner used on each day, in UTC: lip-syncs by the day on which they were created and ended, credits by the day on which
-- the job was accepted. Kept by triggers, so that a read needs no history and the numbers stay when lip-syncs are erased.
create table usage_days (
  owner text not null,
  day date not null,
  created integer not null default 0,
  completed integer not null default 0,
  failed integer not null default 0,
  moderated integer not null default 0,
  cancelled integer not null default 0,
  expired integer not null default 0,
  credits numeric not null default 0,
  primary key (owner, day)
);

create function utc_day(at timestamptz) returns date immutable language sql as $$ select (at at time zone 'UTC')::date $$;

create function count_created() returns trigger language plpgsql as $$
begin
  insert into usage_days (owner, day, created)
  select owner, utc_day(created_at) as created_on, count(*) from fresh
  group by owner, created_on order by owner, created_on
  on conflict (owner, day) do update set created = usage_days.created + excluded.created;
  return null;
end $$;

-- One end more (1) or, where it was corrected, less (-1).
create function count_end(end_owner text, end_day date, status text, change integer) returns void language sql as $$
  insert into usage_days (owner, day, completed, failed, moderated, cancelled, expired)
  values (end_owner, end_day, (status = 'COMPLETED')::int * change, (status = 'FAILED')::int * change,
    (status = 'MODERATED')::int * change, (status = 'CANCELLED')::int * change, (status = 'EXPIRED')::int * change)
  on conflict (owner, day) do update set completed = usage_days.completed + excluded.completed,
    failed = usage_days.failed + excluded.failed, moderated = usage_days.moderated + excluded.moderated,
    cancelled = usage_days.cancelled + excluded.cancelled, expired = usage_days.expired + excluded.expired
$$;

-- A lip-sync whose outcome was unknown can end once more: its first end then no longer counts.
create function count_change() returns trigger language plpgsql as $$
begin
  if (old.status, old.finished_at) is distinct from (new.status, new.finished_at) then
    if old.finished_at is not null then
      perform count_end(old.owner, utc_day(old.finished_at), old.status, -1);
    end if;
    if new.finished_at is not null then
      perform count_end(new.owner, utc_day(new.finished_at), new.status, 1);
    end if;
  end if;
  if old.credits_charged is distinct from new.credits_charged then
    insert into usage_days (owner, day, credits)
    values (new.owner, utc_day(coalesce(new.submitted_at, new.created_at)),
      coalesce(new.credits_charged, 0)::numeric - coalesce(old.credits_charged, 0)::numeric)
    on conflict (owner, day) do update set credits = usage_days.credits + excluded.credits;
  end if;
  return null;
end $$;

-- A request that was rejected at once left no lip-sync. Only finished ones are erased, and those stay counted.
create function uncount_rejected() returns trigger language plpgsql as $$
begin
  update usage_days set created = created - 1 where owner = old.owner and day = utc_day(old.created_at);
  return null;
end $$;

create trigger lipsyncs_counted after insert on lipsyncs
  referencing new table as fresh for each statement execute function count_created();
create trigger lipsyncs_recounted after update on lipsyncs for each row
  when (old.credits_charged is distinct from new.credits_charged or (new.finished_at is not null
    and (old.status, old.finished_at) is distinct from (new.status, new.finished_at)))
  execute function count_change();
create trigger lipsyncs_uncounted after delete on lipsyncs for each row
  when (old.finished_at is null) execute function uncount_rejected();

-- Reads all of `lipsyncs` and blocks its changes meanwhile: seconds for each million rows.
insert into usage_days (owner, day, created, completed, failed, moderated, cancelled, expired, credits)
select owner, day, sum(created), count(*) filter (where status = 'COMPLETED'), count(*) filter (where status = 'FAILED'),
  count(*) filter (where status = 'MODERATED'), count(*) filter (where status = 'CANCELLED'),
  count(*) filter (where status = 'EXPIRED'), sum(credits)
from (
  select owner, utc_day(created_at) as day, 1 as created, null as status, 0::numeric as credits from lipsyncs
  union all
  select owner, utc_day(finished_at), 0, status, 0 from lipsyncs where finished_at is not null
  union all
  select owner, utc_day(coalesce(submitted_at, created_at)), 0, null, credits_charged::numeric
  from lipsyncs where credits_charged is not null
) counted group by owner, day;

-- For admins: the lip-syncs of every owner, by status, by account, and by both with an owner. Lists without a status are read one
-- page of each status.
create index lipsyncs_of_all on lipsyncs (status, created_at, id);
create index lipsyncs_of_account on lipsyncs (account_id, status, created_at, id);
create index lipsyncs_of_owner_and_account on lipsyncs (owner, account_id, status, created_at, id);
