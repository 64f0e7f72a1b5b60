import { setTimeout as wait } from 'node:timers/promises';
import { collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client';
import type { CounterSeries, DurationSeries, Recorder, SeriesOf } from '../../metrics/recorder.ts';

/** The values that each collection reads. */
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
  /** Since the creation of the lip-sync that has waited longest; 0 if none waits. */
  oldestWaitingSeconds: number;
  outcomeUnknown: number;
  statuses: readonly { status: string; count: number }[];
  accounts: readonly { alias: string; running: number; isPaused: boolean }[];
};

/** All metrics of the process, its requests and its lip-syncs. */
export function openRegistry(sources: MetricSources, { counters, durations }: Recorder) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const each of counters) registry.registerMetric(toCounter(each));
  for (const each of durations) registry.registerMetric(toHistogram(each));
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers });
  const setWork = openWorkGauges(gauge);
  const setOwn = openProcessGauges(gauge, sources);
  return {
    registry,
    async collect(): Promise<string> {
      setWork(await answeredInTime(sources.readWork()));
      setOwn();
      return registry.metrics();
    },
  };
}

type Value = { value: number; labels: Record<string, string | number>; metricName?: string };

/**
 * The part of a metric that the library reads. The library's own counters are slow: to record one value takes as long as to
 * compute the price of a small query.
 */
function toMetric(
  { name, definition }: SeriesOf<unknown>,
  type: 'counter' | 'histogram',
  readValues: () => Value[],
): Metric {
  const { help, labels: labelNames } = definition;
  const metric = {
    name,
    help,
    type,
    labelNames,
    get: async () => ({ ...metric, values: readValues() }),
  };
  return metric as unknown as Metric;
}

function toCounter(counter: SeriesOf<CounterSeries>): Metric {
  return toMetric(counter, 'counter', () =>
    counter.list().map(({ labels, series: { value } }) => ({ labels, value })),
  );
}

function toHistogram(durations: SeriesOf<DurationSeries>): Metric {
  const { name } = durations;
  const valuesOf = ({ labels, series }: ReturnType<typeof durations.list>[number]): Value[] => [
    ...series.readBuckets().map(({ le, count }) => ({
      ...{ labels: { le, ...labels }, value: count, metricName: `${name}_bucket` },
    })),
    { labels, value: series.sum, metricName: `${name}_sum` },
    { labels, value: series.count, metricName: `${name}_count` },
  ];
  return toMetric(durations, 'histogram', () => durations.list().flatMap(valuesOf));
}

/** How long a collection waits for the database. Prometheus waits ten seconds for a collection. */
const maxReadMs = 3_000;

/** Null if the database does not answer, so that the other metrics are shown during an outage. */
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
    // A gauge without labels shows 0 after a reset, and an unavailable database does not mean an empty queue.
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
