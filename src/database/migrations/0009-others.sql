-- Places of an account that jobs of others take, by the word of the upstream's scheduler, and when that was told.
alter table accounts add column others integer not null default 0;
alter table accounts add column others_at timestamptz;
-- When an instance last set out to ask.
alter table accounts add column others_asked_at timestamptz;
