-- What an owner's server is told of a lip-sync: `WebhookEvent` in schema.graphql. Until now that was the end.
alter table lipsyncs add column callback_events text[] not null default '{FINISHED}';
