import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

type Value = { stringValue?: string; intValue?: number | string; doubleValue?: number };
type KeyValue = { key: string; value: Value };
type WireSpan = {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: KeyValue[];
  links?: { traceId: string; spanId: string }[];
  events?: { name: string; attributes?: KeyValue[] }[];
  status?: { code?: number };
};
type Batch = {
  resourceSpans: { resource: { attributes: KeyValue[] }; scopeSpans: { spans: WireSpan[] }[] }[];
};

export type Attributes = Record<string, string | number>;

export type ReceivedSpan = {
  traceId: string;
  spanId: string;
  /** Empty for the first of a trace. */
  parentSpanId: string;
  name: string;
  startedAt: bigint;
  endedAt: bigint;
  attributes: Attributes;
  links: { traceId: string; spanId: string }[];
  events: { name: string; attributes: Attributes }[];
  hasFailed: boolean;
  /** Of the process. */
  resource: Attributes;
};

export type Collector = Awaited<ReturnType<typeof startCollector>>;

/** An OTLP collector over HTTP, in JSON, that keeps what it receives. */
export async function startCollector() {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  const waiting = new Set<() => void>();
  const server = createServer(async (request, response) => {
    const isPacked = request.headers['content-encoding'] === 'gzip';
    const chunks = await request.toArray();
    const bytes = Buffer.concat(chunks as Buffer[]);
    const body = (isPacked ? gunzipSync(bytes) : bytes).toString();
    bodies.push(body);
    spans.push(...readBatch(JSON.parse(body) as Batch));
    response.setHeader('content-type', 'application/json').end('{}');
    for (const check of [...waiting]) check();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
    url: `http://127.0.0.1:${port}`,
    spans,
    /** As they were sent. */
    bodies,
    /** Resolves with the first span that fits. */
    span(fits: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan> {
      return new Promise((resolve) => {
        const check = () => {
          const found = spans.find(fits);
          if (found === undefined) return;
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
      });
    },
    async close(): Promise<void> {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function readBatch({ resourceSpans }: Batch): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => readSpan(span, toAttributes(resource.attributes))),
    ),
  );
}

function readSpan(span: WireSpan, resource: Attributes): ReceivedSpan {
  const { traceId, spanId, parentSpanId = '', name, links = [], events = [] } = span;
  return {
    ...{ traceId, spanId, parentSpanId, name, resource },
    startedAt: BigInt(span.startTimeUnixNano),
    endedAt: BigInt(span.endTimeUnixNano),
    attributes: toAttributes(span.attributes),
    links: links.map((link) => ({ traceId: link.traceId, spanId: link.spanId })),
    events: events.map((event) => ({
      name: event.name,
      attributes: toAttributes(event.attributes),
    })),
    hasFailed: span.status?.code === 2,
  };
}

function toAttributes(pairs: readonly KeyValue[] = []): Attributes {
  return Object.fromEntries(
    pairs.map(({ key, value }) => [
      key,
      value.stringValue ?? value.doubleValue ?? Number(value.intValue),
    ]),
  );
}
