import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as immediate } from 'node:timers/promises';
import type { Counters, Durations, Meter } from '../../metrics/meter.ts';
import type { MetricSources } from './metric-registry.ts';

/** The values of the label `endpoint`. A fixed list, so that requests to unknown paths do not create new series. */
const endpoints = [
  '/graphql',
  '/mcp',
  '/callbacks',
  '/uploads',
  '/results',
  '/livez',
  '/readyz',
  '/metrics',
];

export type Metrics = ReturnType<typeof createMetrics>;

/** Measurements before the library is loaded. The last of them loads it, so that none is lost. */
const maxPending = 1_000;

type Registry = ReturnType<typeof import('./metric-registry.ts').openRegistry>;

type Labels = Record<string, string | number>;
type Measurement =
  | { name: keyof Counters; labels: Labels }
  | { name: keyof Durations; labels: Labels; seconds: number };

/**
 * The metrics of `GET /metrics`, for Prometheus. The library is loaded for the first collection, to keep the start short.
 * `connect` must be called before the first collection: what measures is created before what is read.
 */
export function createMetrics() {
  let sources: MetricSources | null = null;
  let registry: Registry | null = null;
  let opening: Promise<Registry> | null = null;
  const pending: Measurement[] = [];

  function record(measurement: Measurement): void {
    if (registry === null) {
      pending.push(measurement);
      if (pending.length >= maxPending && sources !== null) void open(sources);
    } else write(registry, measurement);
  }

  function open(from: MetricSources): Promise<Registry> {
    opening ??= import('./metric-registry.ts').then(({ openRegistry }) => {
      const opened = openRegistry(from);
      registry = opened;
      for (const measurement of pending.splice(0)) write(opened, measurement);
      return opened;
    });
    return opening;
  }

  /** In the text format of Prometheus. */
  async function collect(): Promise<{ text: string; contentType: string }> {
    if (sources === null) throw new Error('Metrics were collected before they were connected.');
    const opened = await open(sources);
    return { text: await opened.collect(), contentType: opened.registry.contentType };
  }

  let collecting: Promise<{ text: string; contentType: string }> | undefined;
  const meter: Meter = {
    count: (name, labels) => record({ name, labels: labels as Labels }),
    time: (name, labels, seconds) => record({ name, labels: labels as Labels, seconds }),
  };
  return {
    meter,
    collect,
    connect(to: MetricSources): void {
      sources = to;
    },
    observe(request: IncomingMessage, { statusCode }: ServerResponse, seconds: number): void {
      const path = request.url?.split('?')[0] ?? '';
      const endpoint =
        endpoints.find((each) => path === each || path.startsWith(`${each}/`)) ?? 'other';
      const labels = { method: request.method ?? 'GET', endpoint, status: statusCode };
      meter.time('lipsync_http_request_duration_seconds', labels, seconds);
    },
    /**
     * Concurrent requests share one collection, and a client that has disconnected causes none: a collection queries the
     * database, and any number of requests can be made without a token.
     */
    async send(response: ServerResponse): Promise<void> {
      await immediate();
      if (response.destroyed) return;
      collecting ??= collect().finally(() => {
        collecting = undefined;
      });
      const { text, contentType } = await collecting;
      response.writeHead(200, { 'content-type': contentType }).end(text);
    },
  };
}

function write({ counters, durations }: Registry, measurement: Measurement): void {
  if ('seconds' in measurement) {
    const { name, labels, seconds } = measurement;
    durations[name].observe(labels, seconds);
  } else counters[measurement.name].inc(measurement.labels);
}
