-- The part of a sound that is used, and the type of what the upstream got, which differs if the file was decoded.
alter table uploads
  add column clip_start_seconds double precision,
  add column clip_duration_seconds double precision,
  add column stored_content_type text;

update uploads set stored_content_type = content_type where state = 'READY';
