/** The counters of the program and their labels. All labels are from closed lists, so that the number of series is bounded. */
export type Counters = {
  lipsync_submissions_total: { outcome: 'accepted' | 'rejected' | 'busy' | 'not_sent' | 'unknown' };
  lipsync_callbacks_total: { kind: 'first_news' | 'late' | 'duplicate' | 'forged' };
  lipsync_polls_total: { result: 'ok' | 'failed' };
  graphql_operations_total: { type: OperationType; result: 'ok' | 'errors' | 'rejected' };
  graphql_stream_resumes_total: NoLabels;
  upstream_requests_total: UpstreamLabels;
  webhook_deliveries_total: { result: 'delivered' | 'retried' | 'failed' };
  imports_total: { result: 'ready' | 'failed' };
};

/** The histograms of the program and their labels. */
export type Durations = {
  lipsync_http_request_duration_seconds: { method: string; endpoint: string; status: number };
  lipsync_callback_lag_seconds: NoLabels;
  lipsync_first_event_seconds: NoLabels;
  lipsync_end_to_end_seconds: { status: string };
  graphql_operation_seconds: { type: OperationType };
  upstream_requests_seconds: UpstreamLabels;
};

type NoLabels = Record<never, never>;

/** `unknown`: the document was rejected before its operation was known. */
export type OperationType = 'query' | 'mutation' | 'subscription' | 'unknown';

/** `endpoint` is a method and a path whose ids are replaced; `status` is an HTTP status, or why there is none. */
type UpstreamLabels = { endpoint: string; status: string };

/**
 * What the parts of the program report to `/metrics`. They do not know the library behind it. All functions are synchronous,
 * never throw, and cost about as much as writing to a map.
 */
export type Meter = {
  count<N extends keyof Counters>(name: N, labels: Counters[N]): void;
  time<N extends keyof Durations>(name: N, labels: Durations[N], seconds: number): void;
  /** Counts with these labels, which are looked up once. */
  counter<N extends keyof Counters>(name: N, labels: Counters[N]): { add(): void };
  /** Times with these labels, which are looked up once. */
  timer<N extends keyof Durations>(name: N, labels: Durations[N]): { add(seconds: number): void };
};

/** Measures nothing. */
export const noMeter: Meter = {
  count: () => undefined,
  time: () => undefined,
  counter: () => ({ add: () => undefined }),
  timer: () => ({ add: () => undefined }),
};
