import { setTimeout as wait } from 'node:timers/promises';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Counters, Durations } from '../../metrics/meter.ts';

/** What is read for each collection. */
export type MetricSources = {
  readWork: () => Promise<Work>;
  /** Open subscriptions of this process. */
  countStreams: () => Record<StreamTransport, number>;
  countUnreadBytes: () => number;
  /** Null on the embedded database. */
  countConnections: () => { busy: number; idle: number; waiting: number } | null;
};

export type StreamTransport = 'sse' | 'multipart' | 'websocket' | 'callback' | 'mcp';

/** The live work of all instances. */
export type Work = {
  waiting: number;
  /** Since the lip-sync was created that waits for the longest time; 0 if none waits. */
  oldestWaitingSeconds: number;
  outcomeUnknown: number;
  statuses: readonly { status: string; count: number }[];
  accounts: readonly { alias: string; running: number; isPaused: boolean }[];
};

type Definition = { help: string; labels: readonly string[]; buckets?: readonly number[] };

const counters: Record<keyof Counters, Definition> = {
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

const durations: Record<keyof Durations, Definition> = {
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

type CounterMap = Record<keyof Counters, Counter>;
type HistogramMap = Record<keyof Durations, Histogram>;

/** All metrics of the process, its requests and its lip-syncs. */
export function openRegistry(sources: MetricSources) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const openCounter = ([name, { help, labels }]: [string, Definition]) =>
    [name, new Counter({ name, help, labelNames: [...labels], registers })] as const;
  const openHistogram = ([name, { help, labels, buckets = [] }]: [string, Definition]) =>
    [
      name,
      new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers }),
    ] as const;
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers });
  const setWork = openWorkGauges(gauge);
  const setOwn = openProcessGauges(gauge, sources);
  return {
    registry,
    counters: Object.fromEntries(Object.entries(counters).map(openCounter)) as CounterMap,
    durations: Object.fromEntries(Object.entries(durations).map(openHistogram)) as HistogramMap,
    async collect(): Promise<string> {
      setWork(await answeredInTime(sources.readWork()));
      setOwn();
      return registry.metrics();
    },
  };
}

/** How long a collection waits for the database. Prometheus waits ten seconds for a collection. */
const maxReadMs = 3_000;

/** Null if the database does not answer, so that the other metrics are shown while it is away. */
async function answeredInTime(read: Promise<Work>): Promise<Work | null> {
  const late = new AbortController();
  const timeout = wait(maxReadMs, null, { signal: late.signal });
  timeout.catch(() => undefined);
  try {
    return await Promise.race([read.catch(() => null), timeout]);
  } finally {
    late.abort();
  }
}

type OpenGauge = (name: string, help: string, labels?: string[]) => Gauge;

/** Read from the database: every instance reports the same. Without the database they have no values. */
function openWorkGauges(gauge: OpenGauge) {
  const up = gauge('lipsync_database_up', '1 if the database answered this collection, else 0.');
  const waiting = gauge('lipsync_queue_waiting', 'Lip-syncs that wait for a slot.');
  const oldest = gauge(
    'lipsync_queue_oldest_seconds',
    'How long the oldest waiting lip-sync has waited.',
  );
  const running = gauge(
    'lipsync_running',
    'Lip-syncs that are sent or generated, by account of the video service.',
    ['account'],
  );
  const paused = gauge(
    'lipsync_account_paused',
    '1 while nothing is sent to an account of the video service, else 0.',
    ['account'],
  );
  const unknown = gauge(
    'lipsync_outcome_unknown',
    'Lip-syncs whose POST had no clear answer and whose job is searched for.',
  );
  const statuses = gauge('lipsync_lipsyncs', 'Unfinished lip-syncs, by status.', ['status']);
  return (work: Work | null): void => {
    up.set(work === null ? 0 : 1);
    // A gauge without labels shows 0 after a reset, and a database that is away is not an empty queue.
    for (const each of [waiting, oldest, unknown]) each.remove({});
    for (const each of [running, paused, statuses]) each.reset();
    if (work === null) return;
    waiting.set(work.waiting);
    oldest.set(work.oldestWaitingSeconds);
    unknown.set(work.outcomeUnknown);
    for (const { status, count } of work.statuses) statuses.set({ status }, count);
    for (const { alias: account, running: count, isPaused } of work.accounts) {
      running.set({ account }, count);
      paused.set({ account }, Number(isPaused));
    }
  };
}

function openProcessGauges(gauge: OpenGauge, sources: MetricSources) {
  const streams = gauge('graphql_streams', 'Open subscriptions of this process.', ['transport']);
  const unread = gauge(
    'lipsync_websocket_unread_bytes',
    'Bytes buffered in this process for WebSocket clients that have not read them yet.',
  );
  const connections = gauge(
    'lipsync_database_connections',
    'Connections of this process to PostgreSQL.',
    ['state'],
  );
  const queued = gauge(
    'lipsync_database_waiting',
    'Statements and transactions of this process that wait for a connection to PostgreSQL.',
  );
  return (): void => {
    for (const [transport, count] of Object.entries(sources.countStreams())) {
      streams.set({ transport }, count);
    }
    unread.set(sources.countUnreadBytes());
    const pool = sources.countConnections();
    if (pool === null) return;
    connections.set({ state: 'busy' }, pool.busy);
    connections.set({ state: 'idle' }, pool.idle);
    queued.set(pool.waiting);
  };
}
