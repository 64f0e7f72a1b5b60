-- That an account has nothing to spend, where its features say so. Else a pause for lack of credits is the upstream's
-- word on one lip-sync, and others may wait for its end.
alter table accounts add column is_spent boolean not null default false;

-- What was asked for and erased since: it counts for the day all the same. Nothing of the lip-sync itself is kept.
create table erasures (
  owner text not null,
  created_at timestamptz not null
);

create index erasures_by_owner on erasures (owner, created_at);
