-- The erasure of everything that is kept of an owner, with a report of what was erased. The owner's name is kept until the end.
create table owner_erasures (
  id uuid primary key,
  owner text,
  -- Numbers of erased rows, by kind.
  erased jsonb not null default '{}',
  requested_at timestamptz not null,
  finished_at timestamptz
);

create unique index owner_erasures_running on owner_erasures (owner) where finished_at is null;
