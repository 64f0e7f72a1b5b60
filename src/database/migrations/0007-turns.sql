-- Whose turn it is goes by when each was last given a slot: by the order of that here, as the clocks of two instances
-- differ. What takes no slot has turns of its own, and what was erased still counts.
create sequence turns;
alter table lipsyncs add column turn bigint;
update lipsyncs set turn = numbered.turn
from (select id, nextval('turns') as turn
      from (select id from lipsyncs where claimed_at is not null order by claimed_at) ordered) numbered
where lipsyncs.id = numbered.id;
alter table erasures add column turn bigint;
alter table erasures add column off_peak boolean not null default false;
drop index lipsyncs_served;
create index lipsyncs_served on lipsyncs (owner, off_peak, turn desc);
