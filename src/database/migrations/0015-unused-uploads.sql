-- Uploads that expired or failed, which retention erases a day after their creation.
create index uploads_unused on uploads (created_at) where state in ('EXPIRED', 'FAILED');
