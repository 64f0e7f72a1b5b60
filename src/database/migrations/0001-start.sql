-- Names and values that the server made up once and must keep, such as the generated callback secret.
create table settings (
  name text primary key,
  value text not null
);

-- An upstream id carries the account's e-mail in front of its number. The front is kept here, once, under a
-- random key; what callers see is the key and the number.
create table id_prefixes (
  key text primary key,
  prefix text not null unique
);

create table accounts (
  id text primary key,
  email text not null unique,
  -- Null where the upstream did not tell.
  max_jobs integer,
  is_present boolean not null default true,
  has_pending_error boolean not null default false,
  -- The code of the failure that paused it; null = open.
  paused_by text,
  paused_at timestamptz,
  probe_at timestamptz,
  probed_at timestamptz,
  -- The last heal and what it healed: the same failure soon after it shows that the healing read can't be trusted.
  healed_at timestamptz,
  healed_code text,
  relapses integer not null default 0,
  -- No POST before this: the upstream answered 429.
  cooldown_until timestamptz,
  created_at timestamptz not null default now()
);

create table uploads (
  id uuid primary key,
  owner text not null,
  kind text not null check (kind in ('AUDIO', 'VIDEO')),
  state text not null check (state in ('WAITING', 'RECEIVING', 'READY', 'FAILED', 'EXPIRED')),
  content_type text not null,
  size double precision,
  filename text,
  duration_seconds double precision,
  -- When bytes were last known to arrive; null before the first. Refreshed about once a minute.
  receiving_at timestamptz,
  failure jsonb,
  path text,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);

create index uploads_by_owner on uploads (owner, created_at);

create table lipsyncs (
  id uuid primary key,
  owner text not null,
  queue_order bigint generated always as identity,
  status text not null check (status in ('QUEUED', 'SUBMITTING', 'SUBMITTED', 'GENERATING',
    'COMPLETED', 'FAILED', 'MODERATED', 'CANCELLED', 'EXPIRED')),
  -- The sequence of its last event.
  sequence integer not null default 0,
  reference text,
  text text,
  voice jsonb,
  source_video_id text,
  source_video jsonb,
  source_path text,
  audio_path text,
  media_seconds double precision,
  keep_original_sound boolean,
  off_peak boolean not null default false,
  max_jobs integer,
  callback_url text,
  idempotency_key text,
  fingerprint text not null,
  expires_at timestamptz,

  -- The account it must use (the source video's) or was given.
  account_id text references accounts (id),
  is_account_fixed boolean not null default false,
  -- True from the claim until the upstream's tracking of it ended.
  holds_slot boolean not null default false,
  attempts integer not null default 0,
  not_before timestamptz,
  lease_until timestamptz,
  -- Set before the first byte of the POST can leave: from here on it is never sent again.
  post_started_at timestamptz,
  outcome_unknown_at timestamptz,
  -- What callbacks claimed while the POST had no answer: candidates, to be read with our own token.
  hinted_video_ids text[] not null default '{}',
  upstream_video_id text,
  cancel_requested_at timestamptz,
  is_tracking_stopped boolean not null default false,

  result_video_id text,
  result_video jsonb,
  failure jsonb,
  credits_charged integer,
  expected_ms integer,
  logged_percent double precision not null default 0,
  logged_percent_at timestamptz,
  logged_position integer,
  logged_attempts integer not null default 0,

  created_at timestamptz not null,
  claimed_at timestamptz,
  submitted_at timestamptz,
  finished_at timestamptz,
  unique (owner, idempotency_key)
);

create index lipsyncs_by_owner on lipsyncs (owner, created_at desc, id desc);
create index lipsyncs_waiting on lipsyncs (owner, queue_order) where status in ('QUEUED', 'SUBMITTING');
create index lipsyncs_served on lipsyncs (owner, claimed_at desc);
create index lipsyncs_holding on lipsyncs (account_id) where holds_slot;
create index lipsyncs_open on lipsyncs (account_id) where finished_at is null;
create index lipsyncs_by_upstream on lipsyncs (upstream_video_id);
create index lipsyncs_by_source on lipsyncs (source_video_id);
create index lipsyncs_by_result on lipsyncs (result_video_id);
create index lipsyncs_finished on lipsyncs (finished_at) where finished_at is not null;

create table lipsync_events (
  lipsync_id uuid not null references lipsyncs (id) on delete cascade,
  sequence integer not null,
  status text not null,
  percent double precision not null,
  queue_position integer,
  source text not null check (source in ('CALLBACK', 'POLL', 'GATEWAY')),
  failure jsonb,
  occurred_at timestamptz not null,
  primary key (lipsync_id, sequence)
);

-- A refusal leaves no lip-sync. Those who asked with the same key meanwhile find its reason here, for a while.
create table refusals (
  lipsync_id uuid primary key,
  owner text not null,
  idempotency_key text,
  fingerprint text not null,
  failure jsonb not null,
  refused_at timestamptz not null
);

create index refusals_by_key on refusals (owner, idempotency_key);
