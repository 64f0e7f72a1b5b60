import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openReceiver, type Receiver } from '../domains/webhooks/webhook-receiver.ts';
import { connectAgent } from '../support/agent.ts';
import { type FileServer, openFileServer, sendFile } from '../support/file-server.ts';
import {
  createLipsyncsMutation,
  idOf,
  type LipsyncApp,
  startLipsyncApp,
} from '../support/lipsync-app.ts';
import { askForData, withHeaders } from '../support/lipsyncs.ts';
import { type Collector, type ReceivedSpan, startCollector } from '../support/otlp-collector.ts';
import { openTestTracer } from '../support/tracers.ts';
import { createUpload } from '../support/uploads.ts';
import { wavHeader } from '../support/wav.ts';

const sound = Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]);

let collector: Collector;
let receiver: Receiver;
let files: FileServer;
let app: LipsyncApp;
let video: string;
let closeTracer: () => Promise<void>;
beforeAll(async () => {
  collector = await startCollector();
  receiver = await openReceiver();
  files = await openFileServer({ '/speech.wav': sendFile(sound) });
  const tracer = await openTestTracer(collector);
  closeTracer = tracer.close;
  app = await startLipsyncApp({ tracer, env: { OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1' } });
  [video = ''] = await app.listVideoIds();
});
afterAll(async () => {
  await app?.stop();
  await closeTracer?.();
  await collector?.close();
  receiver?.close();
  files?.close();
});

let traces = 0;
/** The header of a caller with a trace of its own. */
function newTrace(flags = '01') {
  traces += 1;
  const traceId = traces.toString(16).padStart(32, 'a');
  return { traceId, traceparent: `00-${traceId}-00f067aa0ba902b7-${flags}` };
}

const inTrace = (traceId: string, name: string) => (span: ReceivedSpan) =>
  span.traceId === traceId && span.name === name;

const namesIn = (id: string) =>
  collector.spans.filter(({ traceId }) => traceId === id).map(({ name }) => name);

function parentOf({ parentSpanId }: ReceivedSpan): string | undefined {
  return collector.spans.find(({ spanId }) => spanId === parentSpanId)?.name;
}

describe('works', () => {
  test('the file of an upload, and that of a URL, belong to the trace of the mutation', async () => {
    const put = newTrace();
    const { url } = await createUpload(withHeaders(app, { traceparent: put.traceparent }));
    expect((await fetch(url, { method: 'PUT', body: sound })).status).toBe(200);
    const received = await collector.span(inTrace(put.traceId, 'upload receive'));
    expect(parentOf(received)).toBe('upload create');
    await collector.span(inTrace(put.traceId, 'POST /files/'));

    const imported = newTrace();
    const answer = await app.ask(
      'mutation ($input: ImportUploadInput!) { importUpload(input: $input) { __typename } }',
      { input: { kind: 'AUDIO', url: files.url('/speech.wav') } },
      { traceparent: imported.traceparent },
    );
    expect(answer.data).toEqual({ importUpload: { __typename: 'ImportUploadSuccess' } });
    const fetched = await collector.span(inTrace(imported.traceId, 'upload import'));
    expect(parentOf(fetched)).toBe('upload create');
    expect(files.requests.map(({ headers }) => headers.traceparent)).toEqual([undefined]);
  });

  test('each lip-sync of a batch has its own span, with its file, and a stream of several is linked to all', async () => {
    const { traceId, traceparent } = newTrace();
    const items = ['a', 'b'].map((text) => ({
      video: { videoId: video },
      speech: { script: { text } },
    }));
    const speech = { url: files.url('/speech.wav') };
    type Data = { createLipsyncs: { results: { lipsync: { id: string } }[] } };
    const { createLipsyncs } = await askForData<Data>(
      withHeaders(app, { traceparent }),
      createLipsyncsMutation,
      { input: { items: [...items, { video: { videoId: video }, speech }] } },
    );
    const ids = createLipsyncs.results.map(({ lipsync }) => lipsync.id);
    for await (const _ of app.subscribeToAll(ids, null));
    const stream = await collector.span(({ name }) => name === 'lipsync stream');
    const isCreate = inTrace(traceId, 'lipsync create');
    const created = collector.spans.filter(isCreate);
    expect(created).toHaveLength(3);
    expect(new Set(created.map(({ attributes }) => attributes['lipsync.id'])).size).toBe(3);
    expect(stream.links.map(({ spanId }) => spanId).toSorted()).toEqual(
      created.map(({ spanId }) => spanId).toSorted(),
    );
    const moments = stream.events.filter(
      ({ attributes }) => attributes['lipsync.status'] === 'COMPLETED',
    );
    expect(moments).toHaveLength(3);
    expect(parentOf(await collector.span(inTrace(traceId, 'upload import')))).toBe(
      'lipsync create',
    );
  });

  test('a rejection marks the span with its code', async () => {
    const { traceId, traceparent } = newTrace();
    await app.create({ text: '[[400]]' }, { traceparent });
    const span = await collector.span(inTrace(traceId, 'lipsync create'));
    expect(span).toMatchObject({ hasFailed: true, attributes: { 'error.type': 'INVALID_INPUT' } });
    expect(namesIn(traceId)).toContain('POST /videos/lipsync');
  });

  test.each([
    ['extensions of an operation', 'extensions'],
    ['payload of connection_init', 'payload'],
  ] as const)('over a WebSocket the trace of the caller is in the %s', async (_, place) => {
    const { traceId, traceparent } = newTrace();
    const query = '{ viewer { name } }';
    const results =
      place === 'payload'
        ? app.watchWs(query, {}, { payload: { traceparent } })
        : app.watchWs(query, {}, { extensions: { traceparent } });
    for await (const result of results) expect(result.errors).toBeUndefined();
    const span = await collector.span(inTrace(traceId, 'query viewer'));
    expect(span.parentSpanId).toBe('00f067aa0ba902b7');
  });
});

test('the operation of a tool belongs to the trace in the headers of its call', async () => {
  const { traceId, traceparent } = newTrace();
  await using agent = await connectAgent({ url: app.url, headers: { traceparent } });
  expect(await agent.call('list_voices')).toMatchObject({ isError: false });
  const span = await collector.span(inTrace(traceId, 'query voices'));
  expect(span.parentSpanId).toBe('00f067aa0ba902b7');
});

describe('keeps out', () => {
  test('everything of a trace that its caller does not record, and passes its flag on to the webhook', async () => {
    const { traceId, traceparent } = newTrace('00');
    const made = await app.create({ text: 'Unseen', callbackUrl: receiver.url }, { traceparent });
    await app.waitForEnd(idOf(made));
    await receiver.until(1);
    expect(receiver.received[0]?.headers.traceparent).toMatch(
      new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`),
    );
    // A later span was sent, so that earlier ones would have been too.
    const later = newTrace();
    await app.ask('{ viewer { name } }', {}, { traceparent: later.traceparent });
    await collector.span(inTrace(later.traceId, 'query viewer'));
    expect(namesIn(traceId)).toEqual([]);
  });
});
