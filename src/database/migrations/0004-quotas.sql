-- What an owner's operations have cost lately. It leaks away by the limit of a minute, and the limit is not kept here:
-- another COST_PER_MINUTE holds at once.
create table query_costs (
  owner text primary key,
  spent double precision not null,
  counted_at timestamptz not null
);

-- Subscriptions that are open on any instance. Their process renews the lease; one whose lease ran out has died.
create table open_streams (
  id uuid primary key,
  owner text not null,
  lease_until timestamptz not null
);

create index open_streams_by_owner on open_streams (owner);
