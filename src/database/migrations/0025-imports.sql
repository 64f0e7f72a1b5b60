-- Uploads whose file this server fetches. Null for a file that a client sends.
alter table uploads add column source_url text;
-- How many bytes have arrived so far. Null before the first were counted.
alter table uploads add column received_bytes double precision;

-- Imports that have not ended, of one owner and of all.
create index uploads_importing on uploads (owner) where state = 'RECEIVING' and source_url is not null;

-- uploads, for lipsyncs: the files that lip-syncs use, and wait for.
create view upload_files as
select id, owner, kind, state, path, duration_seconds, failure from uploads;
