import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as immediate } from 'node:timers/promises';
import type { MetricSources } from './metric-registry.ts';

/** The values of the label `door`, which dashboards use. A fixed list, so that requests to unknown paths do not create new series. */
const endpoints = ['/graphql', '/mcp', '/callbacks', '/uploads', '/results', '/livez', '/readyz'];

export type Metrics = ReturnType<typeof createMetrics>;

/** Requests before the first collection. Beyond it they are not counted. */
const maxPending = 10_000;

type Registry = ReturnType<typeof import('./metric-registry.ts').openRegistry>;
type Labels = { method: string; door: string; status: number };

/** The metrics of `GET /metrics`, for Prometheus. The library is loaded for the first collection, to keep the start short. */
export function createMetrics(sources: MetricSources) {
  let registry: Registry | null = null;
  const pending: { labels: Labels; seconds: number }[] = [];
  /** The series by its labels, because the library makes a text of them for each observation. */
  const series = new Map<string, { observe(seconds: number): void }>();

  function record({ requests }: Registry, labels: Labels, seconds: number): void {
    const key = `${labels.method} ${labels.door} ${labels.status}`;
    const known = series.get(key) ?? requests.labels(labels);
    series.set(key, known);
    known.observe(seconds);
  }

  async function open(): Promise<Registry> {
    const { openRegistry } = await import('./metric-registry.ts');
    registry ??= openRegistry(sources);
    for (const { labels, seconds } of pending.splice(0)) record(registry, labels, seconds);
    return registry;
  }

  let collecting: Promise<{ text: string; contentType: string }> | undefined;
  const collect = async () => {
    const { registry: opened } = await open();
    return { text: await opened.metrics(), contentType: opened.contentType };
  };
  return {
    observe(request: IncomingMessage, { statusCode }: ServerResponse, seconds: number): void {
      const path = request.url?.split('?')[0] ?? '';
      const door =
        endpoints.find((each) => path === each || path.startsWith(`${each}/`)) ?? 'other';
      const labels = { method: request.method ?? 'GET', door, status: statusCode };
      if (registry !== null) record(registry, labels, seconds);
      else if (pending.length < maxPending) pending.push({ labels, seconds });
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
