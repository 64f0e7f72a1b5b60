import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as immediate } from 'node:timers/promises';
import type { MetricSources } from './metric-registry.ts';

/** The values of the label `door`, which dashboards use. A fixed list, so that requests to unknown paths do not create new series. */
const endpoints = ['/graphql', '/callbacks', '/uploads', '/livez', '/readyz'];

export type Metrics = ReturnType<typeof createMetrics>;

/** The metrics of `GET /metrics`, for Prometheus. The library is loaded with the first request, to keep the start short. */
export function createMetrics(sources: MetricSources) {
  let opened: Promise<ReturnType<typeof import('./metric-registry.ts').openRegistry>> | undefined;
  const open = () => {
    opened ??= import('./metric-registry.ts').then(({ openRegistry }) => openRegistry(sources));
    return opened;
  };
  let collecting: Promise<{ text: string; contentType: string }> | undefined;
  const collect = async () => {
    const { registry } = await open();
    return { text: await registry.metrics(), contentType: registry.contentType };
  };
  return {
    async observe(
      request: IncomingMessage,
      response: ServerResponse,
      seconds: number,
    ): Promise<void> {
      const path = request.url?.split('?')[0] ?? '';
      const door =
        endpoints.find((each) => path === each || path.startsWith(`${each}/`)) ?? 'other';
      const method = request.method ?? 'GET';
      const status = response.statusCode;
      const { requests } = await open();
      requests.observe({ method, door, status }, seconds);
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
