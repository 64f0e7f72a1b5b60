import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** In seconds. Creating a lip-sync waits for the upstream, which can take half a minute. */
const requestBuckets = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 30];

export type MetricSources = {
  countLipsyncs: () => Promise<{ status: string; count: number }[]>;
  countEventStreams: () => number;
  countUnreadBytes: () => number;
};

/** Metrics of the process, its requests and its lip-syncs. */
export function openRegistry(sources: MetricSources) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'lipsync_http_request_duration_seconds',
    help: 'Duration of requests, until the whole response was sent.',
    labelNames: ['method', 'door', 'status'],
    buckets: requestBuckets,
    registers,
  });
  new Gauge({
    name: 'lipsync_lipsyncs',
    help: 'Unfinished lip-syncs, by status.',
    labelNames: ['status'],
    registers,
    async collect() {
      this.reset();
      for (const { status, count } of await sources.countLipsyncs()) this.set({ status }, count);
    },
  });
  new Gauge({
    name: 'lipsync_event_streams',
    help: 'Open event streams (server-sent events and router callbacks) in this process.',
    registers,
    collect() {
      this.set(sources.countEventStreams());
    },
  });
  new Gauge({
    name: 'lipsync_websocket_unread_bytes',
    help: 'Bytes buffered in this process for WebSocket clients that have not read them yet.',
    registers,
    collect() {
      this.set(sources.countUnreadBytes());
    },
  });
  return { registry, requests };
}
