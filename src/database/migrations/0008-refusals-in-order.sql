-- Whether a refusal came after a request: by their order here, as the clocks of two instances differ.
alter table refusals add column number bigint generated always as identity;
drop index refusals_by_key;
create index refusals_by_key on refusals (owner, idempotency_key, number desc);
