-- For admins: what every owner used on one day, in the order of their names. Neither column changes, so that the updates of the
-- numbers write no index.
create index usage_days_of_day on usage_days (day, owner);
