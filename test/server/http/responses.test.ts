import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { noMeter } from '../../../src/metrics/meter.ts';
import { schema } from '../../../src/schema.ts';
import { HttpResponse } from '../../../src/server/http/response.ts';
import { createPipeline } from '../../../src/server/operation/pipeline.ts';
import { noTracer } from '../../../src/tracing/tracer.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { sendRequest } from '../../support/http.ts';
import { createLipsync } from '../../support/lipsyncs.ts';

let it: TestApp;
let id: string;
beforeAll(async () => {
  it = await startTestApp();
  id = (await createLipsync(it, { text: '[[never]] Hm' })).id;
});
afterAll(() => it.stop());

const subscription = () => `subscription { lipsyncProgress(id: "${id}") { __typename } }`;
const viewer = '{ viewer { name } }';

/** The response to an operation by POST with this Accept; an event stream is read up to its first event. */
async function post(query: string, accept: string) {
  const closing = new AbortController();
  const response = await fetch(`${it.url}/graphql`, {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
    signal: closing.signal,
  });
  const type = response.headers.get('content-type')?.split(';')[0];
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const { value: text = '' } = (await reader?.read()) ?? {};
  closing.abort();
  return { status: response.status, type, text };
}

describe('works', () => {
  test('an event with a field error keeps its cursor', async () => {
    const query = `subscription ($id: ID!) { lipsyncProgress(id: $id) {
      ... on LipsyncProgress { lipsync { events(first: 101) { nodes { cursor } } } } } }`;
    const failing = await it.watchSse(query, { id }).next();
    if (failing.done) throw new Error('The stream has no event.');
    expect(failing.value.data.errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
    const { data } = await it.ask<{ lipsync: { events: { nodes: { cursor: string }[] } } }>(
      'query ($id: ID!) { lipsync(id: $id) { events { nodes { cursor } } } }',
      { id },
    );
    const cursors = data?.lipsync.events.nodes.map(({ cursor }) => cursor);
    expect(cursors).toContain(failing.value.id);
  });

  const json = 'application/json';
  const events = 'text/event-stream';
  test.each([
    ['application/json', json, 'a query'],
    ['application/graphql-response+json', 'application/graphql-response+json', 'a query'],
    ['multipart/mixed, application/json;q=0.1', json, 'a query'],
    ['multipart/mixed;deferSpec=20220824, */*;q=0.1', json, 'a query'],
    ['multipart/*, application/*;q=0.1', json, 'a query'],
    ['multipart/mixed, text/event-stream;q=0.1', events, 'a query'],
    ['multipart/mixed, text/event-stream;q=0.1', events, 'a subscription'],
    ['multipart/mixed, */*;q=0.1', events, 'a subscription'],
    ['application/json;q=0.5, TEXT/EVENT-STREAM', events, 'a subscription'],
  ])('Accept: %s gets %s for %s, and never multipart/mixed', async (accept, type, kind) => {
    const response = await post(kind === 'a query' ? viewer : subscription(), accept);
    expect(response).toMatchObject({ status: 200, type });
  });
});

describe('refuses', () => {
  test.each([
    ['multipart/mixed', viewer],
    ['multipart/mixed;deferSpec=20220824', viewer],
    ['multipart/*', viewer],
    ['multipart/mixed;deferSpec=20220824', 'subscription'],
    ['application/json;q=0', viewer],
    ['text/html', viewer],
    ['*/*;q=0', viewer],
    ['*', viewer],
    ['"', viewer],
  ])('Accept: %s alone with 406, before the operation is executed', async (accept, query) => {
    const operation = query === 'subscription' ? subscription() : query;
    const { status, text } = await post(operation, accept);
    expect(status).toBe(406);
    expect(JSON.parse(text)).toMatchObject({
      errors: [{ extensions: { code: 'NOT_ACCEPTABLE' } }],
    });
  });

  test.each(['GET', 'POST', 'PUT', 'DELETE'])('%s /graphql/stream with 404', async (method) => {
    const headers = { accept: 'text/event-stream', 'content-type': 'application/json' };
    const { status, text } = await sendRequest(it.url, {
      method,
      path: '/graphql/stream',
      headers,
    });
    expect([status, JSON.parse(text).code]).toEqual([404, 'NOT_FOUND']);
  });
});

describe('keeps out', () => {
  test('the stack of an exception in a hook of the pipeline', async () => {
    const lines: string[] = [];
    const pipeline = createPipeline({
      ...{ schema, graphiql: false, introspection: 'everyone', trustedDocuments: null },
      log: createLog('debug', { write: (line: string) => void lines.push(line) }),
      createContext: () => Promise.reject(new Error('secret')),
      sessions: { signIn: () => Promise.reject(new Error('secret')), isExpired: () => false },
      meter: noMeter,
      tracer: noTracer,
      streams: { plugin: {} },
      callbacks: { plugin: {} },
    });
    const server = createServer(
      { ServerResponse: HttpResponse },
      (request, response) => void pipeline.handle(request, response),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
    const requestId = { 'x-request-id': 'trace-this' };
    // Signing in fails in a hook on the request, creating the context fails during execution.
    const form = new FormData();
    form.append('operations', JSON.stringify({ query: viewer }));
    const multipart = await fetch(url, { method: 'POST', headers: requestId, body: form });
    const operation = await fetch(url, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json', ...requestId } },
      body: JSON.stringify({ query: viewer }),
    });
    const texts = [await multipart.text(), await operation.text()];
    server.close();
    expect(multipart.status).toBe(500);
    for (const text of texts) {
      expect(JSON.parse(text)).toMatchObject({
        errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
      });
      expect(text).not.toMatch(/secret|\bat .*\.ts/);
    }
    expect(texts[0]).toContain('trace-this');
    expect(lines.join('\n')).toContain('secret');
  });
});
