import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as immediate } from 'node:timers/promises';
import { createRecorder } from '../../metrics/recorder.ts';
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

type Registry = ReturnType<typeof import('./metric-registry.ts').openRegistry>;

/**
 * The metrics of `GET /metrics`, for Prometheus. The library is loaded for the first collection, to keep startup short.
 * `connect` must be called before the first collection: the parts that measure are created before the parts that a
 * collection reads.
 */
export function createMetrics() {
  let sources: MetricSources | null = null;
  let registry: Promise<Registry> | null = null;
  const recorder = createRecorder();
  const { meter } = recorder;

  /** In the text format of Prometheus. */
  async function collect(): Promise<{ text: string; contentType: string }> {
    if (sources === null) throw new Error('Metrics were collected before they were connected.');
    const from = sources;
    registry ??= import('./metric-registry.ts').then(({ openRegistry }) =>
      openRegistry(from, recorder),
    );
    const opened = await registry;
    return { text: await opened.collect(), contentType: opened.registry.contentType };
  }

  let collecting: Promise<{ text: string; contentType: string }> | undefined;
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
