-- Webhooks are sent from this table, by their owners in turn. Unused, but an instance of the version before still writes it.
alter table webhook_deliveries alter column job_id drop not null;

-- The receiver's name and port, as the URL spells them.
alter table webhook_deliveries add column host text
  generated always as (lower(substring(url from '^[A-Za-z]+:/*(?:[^/?#@]*@)?([^/?#]+)'))) stored;

create index webhook_deliveries_due on webhook_deliveries ((greatest(next_attempt_at, claimed_until)))
  where state = 'PENDING';
create index webhook_deliveries_claimed on webhook_deliveries (claimed_until) where claimed_until is not null;
-- When an owner had its last turn.
create index webhook_deliveries_turns on webhook_deliveries (owner, last_attempt_at);

-- How the receivers of each owner have answered lately. One row per owner and host: an owner whose path of a shared host fails
-- must not delay the other owners' webhooks to that host.
create table webhook_receivers (
  owner text not null,
  host text not null,
  -- Deliveries in a row that failed. Repeated attempts of one delivery count once. 0: the last attempt succeeded.
  failures integer not null,
  failed_delivery_id uuid,
  -- No attempt before this time.
  paused_until timestamptz,
  updated_at timestamptz not null,
  primary key (owner, host)
);

create index webhook_receivers_failing on webhook_receivers (owner) where failures > 0;
