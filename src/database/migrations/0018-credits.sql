-- What a lip-sync was expected to cost when it was created, and the most that its caller accepts. Null = not known, no limit.
alter table lipsyncs add column estimated_credits double precision;
alter table lipsyncs add column max_credits double precision;

-- The credits of the last reading, when it began, and what jobs that were accepted since then cost.
alter table accounts add column credits double precision;
alter table accounts add column credits_at timestamptz;
alter table accounts add column spent_since double precision not null default 0;
-- The reading under way, and what jobs that were accepted since it began cost. It replaces the two columns above when it ends.
alter table accounts add column reading_id uuid;
alter table accounts add column spent_during double precision not null default 0;

-- Jobs of the same kind cost the same, as far as this program knows. `priceKindOf` in src/domains/lipsyncs/credits/kind.ts
-- has the same rule.
create function job_kind(spoken text, media_seconds double precision, is_off_peak boolean) returns text
immutable parallel safe language sql as $$
  select case when spoken is null then 'audio' else 'text' end
    || case when is_off_peak then ' off-peak' else '' end
    || case
      when coalesce(media_seconds, length(spoken) / 14.0) is null then ' unknown'
      when coalesce(media_seconds, length(spoken) / 14.0) <= 10 then ' 10'
      when coalesce(media_seconds, length(spoken) / 14.0) <= 30 then ' 30'
      else ' long' end
$$;

set local statement_timeout = 0;
create index lipsyncs_priced on lipsyncs (job_kind(text, media_seconds, off_peak), finished_at desc)
  where status = 'COMPLETED' and credits_charged is not null;

-- The expected cost of the waiting lip-syncs that must use an account, and, with an empty id, of those that can use any. Kept by
-- triggers, as `waiting_counts` is. Lip-syncs without a known cost are left out.
create table waiting_credits (
  account_id text primary key,
  waiting integer not null,
  credits numeric not null
);

create function add_waiting_credits() returns trigger language plpgsql as $$
begin
  insert into waiting_credits (account_id, waiting, credits)
  select coalesce(account_id, '') as target, count(*), sum(estimated_credits::numeric)
  from fresh where status = 'QUEUED' and estimated_credits is not null group by target order by target
  on conflict (account_id) do update set waiting = waiting_credits.waiting + excluded.waiting,
    credits = waiting_credits.credits + excluded.credits;
  return null;
end $$;

create function change_waiting_credits() returns trigger language plpgsql as $$
begin
  if old.status = 'QUEUED' and old.estimated_credits is not null then
    update waiting_credits set waiting = waiting - 1, credits = credits - old.estimated_credits::numeric
    where account_id = coalesce(old.account_id, '');
    delete from waiting_credits where account_id = coalesce(old.account_id, '') and waiting = 0;
  end if;
  if tg_op = 'UPDATE' and new.status = 'QUEUED' and new.estimated_credits is not null then
    insert into waiting_credits (account_id, waiting, credits)
    values (coalesce(new.account_id, ''), 1, new.estimated_credits::numeric)
    on conflict (account_id) do update set waiting = waiting_credits.waiting + 1,
      credits = waiting_credits.credits + excluded.credits;
  end if;
  return null;
end $$;

create trigger lipsyncs_credits_inserted after insert on lipsyncs
  referencing new table as fresh for each statement execute function add_waiting_credits();
create trigger lipsyncs_credits_updated after update on lipsyncs for each row
  when ((old.status = 'QUEUED' or new.status = 'QUEUED')
    and (old.status, old.account_id, old.estimated_credits)
      is distinct from (new.status, new.account_id, new.estimated_credits))
  execute function change_waiting_credits();
create trigger lipsyncs_credits_deleted after delete on lipsyncs for each row
  when (old.status = 'QUEUED') execute function change_waiting_credits();
