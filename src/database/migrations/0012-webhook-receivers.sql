-- The due deliveries are found by owners and then by receivers: an index that all owners shared was read to the end of the
-- longest backlog by each search.
drop index webhook_deliveries_due;
create index webhook_deliveries_due_of_owner
  on webhook_deliveries (owner, (greatest(next_attempt_at, claimed_until))) where state = 'PENDING';
-- By hash, so that a search can begin with a random receiver of an owner with more of them than it looks at.
create index webhook_deliveries_due_of_receiver
  on webhook_deliveries (owner, md5(host), (greatest(next_attempt_at, claimed_until))) where state = 'PENDING';
