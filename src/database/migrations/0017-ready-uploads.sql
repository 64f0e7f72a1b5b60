-- Uploads whose file has arrived, which retention erases `RETENTION_DAYS` after their creation.
create index uploads_ready on uploads (created_at) where state = 'READY';
