-- What signs an owner's webhooks. At most two live at a time: the newest, and for a day the one before it.
create table webhook_keys (
  id uuid primary key,
  owner text not null,
  -- Encrypted under a key derived from CALLBACK_SECRET, bound to this owner and id.
  secret text not null,
  -- The last four characters, so that an owner can tell which one a receiver holds.
  hint text not null,
  created_at timestamptz not null,
  -- Null for the newest.
  expires_at timestamptz
);

create unique index webhook_keys_newest on webhook_keys (owner) where expires_at is null;
create index webhook_keys_by_owner on webhook_keys (owner, created_at);

-- One row per event that is told to an owner's server. It goes when the event goes.
create table webhook_deliveries (
  id uuid primary key,
  owner text not null,
  lipsync_id uuid not null,
  event_sequence integer not null,
  event_type text not null,
  url text not null,
  state text not null check (state in ('PENDING', 'DELIVERED', 'FAILED')),
  -- Started ones, over its whole life.
  attempts integer not null default 0,
  -- Since it was first sent or last asked for again: the next delay is counted from here.
  retries integer not null default 0,
  -- The background job that may make the next attempt. Any other one was superseded.
  job_id uuid not null,
  claimed_until timestamptz,
  -- Null where nobody answered.
  last_status integer,
  last_problem text,
  last_attempt_at timestamptz,
  next_attempt_at timestamptz,
  delivered_at timestamptz,
  created_at timestamptz not null,
  unique (lipsync_id, event_sequence),
  foreign key (lipsync_id, event_sequence)
    references lipsync_events (lipsync_id, sequence) on delete cascade
);
