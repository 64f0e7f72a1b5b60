import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds. Creating a lip-sync waits for the upstream, which may take half a minute. */
const requestBuckets = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 30];

export type MetricSources = {
  countLipsyncs: () => Promise<{ status: string; count: number }[]>;
  countEventStreams: () => number;
  countUnreadBytes: () => number;
};

/** The process, its requests, and how many lip-syncs are where. */
export function openRegistry(sources: MetricSources) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'lipsync_http_request_duration_seconds',
    help: 'How long requests took, until their answer was sent whole.',
    labelNames: ['method', 'door', 'status'],
    buckets: requestBuckets,
    registers,
  });
  new Gauge({
    name: 'lipsync_lipsyncs',
    help: 'Lip-syncs that are kept, by status.',
    labelNames: ['status'],
    registers,
    async collect() {
      this.reset();
      for (const { status, count } of await sources.countLipsyncs()) this.set({ status }, count);
    },
  });
  new Gauge({
    name: 'lipsync_event_streams',
    help: 'Server-sent event streams that are open in this process.',
    registers,
    collect() {
      this.set(sources.countEventStreams());
    },
  });
  new Gauge({
    name: 'lipsync_websocket_unread_bytes',
    help: 'Bytes that this process holds for WebSocket clients that have not read them yet.',
    registers,
    collect() {
      this.set(sources.countUnreadBytes());
    },
  });
  return { registry, requests };
}
