-- The order of an owner's list. `uploads_by_owner` had no order for uploads of the same moment.
create index uploads_listed on uploads (owner, created_at desc, id desc);
drop index uploads_by_owner;
