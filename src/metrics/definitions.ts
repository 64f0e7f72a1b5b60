import type { Counters, Durations } from './meter.ts';

export type Definition = { help: string; labels: readonly string[]; buckets?: readonly number[] };

export const counters: Record<keyof Counters, Definition> = {
  lipsync_submissions_total: {
    help: 'POSTs to the video service that create a job, by what is known of their outcome.',
    labels: ['outcome'],
  },
  lipsync_callbacks_total: {
    help: 'Callbacks, by what they brought: the first news of a status, a status that was known, or nothing because the token is invalid.',
    labels: ['kind'],
  },
  lipsync_polls_total: {
    help: 'Polls of the list of an account of the video service.',
    labels: ['result'],
  },
  graphql_operations_total: {
    help: 'GraphQL operations over all transports: answered, answered with errors, or rejected before the execution.',
    labels: ['type', 'result'],
  },
  graphql_stream_resumes_total: {
    help: 'Subscriptions that continue from a cursor.',
    labels: [],
  },
  upstream_requests_total: {
    help: 'Requests to the video service, each attempt of a read by itself.',
    labels: ['endpoint', 'status'],
  },
  webhook_deliveries_total: {
    help: 'Attempts to deliver a webhook.',
    labels: ['result'],
  },
  imports_total: {
    help: 'Files that were fetched from a URL.',
    labels: ['result'],
  },
};

/** In seconds. Creating a lip-sync waits for the video service, which can take half a minute. */
const requestBuckets = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 30];
/** A job takes a minute or two; one that waits for a slot, hours. */
const jobBuckets = [1, 5, 15, 30, 60, 120, 300, 900, 3_600, 14_400];

export const durations: Record<keyof Durations, Definition> = {
  lipsync_http_request_duration_seconds: {
    help: 'HTTP requests, until the whole response was sent.',
    labels: ['method', 'endpoint', 'status'],
    buckets: requestBuckets,
  },
  lipsync_callback_lag_seconds: {
    help: 'From the arrival of a callback to the status that it led to.',
    labels: [],
    buckets: requestBuckets,
  },
  lipsync_first_event_seconds: {
    help: 'From the opening of a subscription to its first event.',
    labels: [],
    buckets: requestBuckets,
  },
  lipsync_end_to_end_seconds: {
    help: 'From the creation of a lip-sync to its end.',
    labels: ['status'],
    buckets: jobBuckets,
  },
  graphql_operation_seconds: {
    help: 'Executions of GraphQL operations; of a subscription, its opening.',
    labels: ['type'],
    buckets: requestBuckets,
  },
  upstream_requests_seconds: {
    help: 'Requests to the video service, until the whole answer was read.',
    labels: ['endpoint', 'status'],
    buckets: requestBuckets,
  },
};
