import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { schema } from '../../src/schema.ts';
import { createGraphQL } from '../../src/server/operation/pipeline.ts';
import { startTestApp, type TestApp } from '../support/app.ts';

const create = `mutation ($video: ID!) { createLipsync(input: { video: { id: $video }, speech: { text: { text: "[[never]] Hm" } } }) {
  ... on CreateLipsyncSuccess { lipsync { id } } } }`;

let it: TestApp;
let id: string;
beforeAll(async () => {
  it = await startTestApp();
  const { data } = await it.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  const made = await it.ask<{ createLipsync: { lipsync: { id: string } } }>(create, {
    video: data?.videos.nodes[0]?.id,
  });
  id = made.data?.createLipsync.lipsync.id ?? '';
});
afterAll(() => it.stop());

describe('works', () => {
  test('an event of which a field fails keeps its place in the log', async () => {
    const query = `subscription ($id: ID!) { lipsyncProgress(id: $id) {
      ... on LipsyncProgress { lipsync { events(first: 101) { nodes { cursor } } } } } }`;
    const failing = await it.watchSse(query, { id }).next();
    if (failing.done) throw new Error('There is no event.');
    expect(failing.value.data.errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
    const { data } = await it.ask<{ lipsync: { events: { nodes: { cursor: string }[] } } }>(
      'query ($id: ID!) { lipsync(id: $id) { events { nodes { cursor } } } }',
      { id },
    );
    const cursors = data?.lipsync.events.nodes.map(({ cursor }) => cursor);
    expect(cursors).toContain(failing.value.id);
  });

  test.each(['GET', 'POST'])(
    'a stream of one operation on /graphql/stream by %s tells the places of its events',
    async (method) => {
      const query = `subscription { lipsyncProgress(id: "${id}") { ... on LipsyncProgress { cursor } } }`;
      const isGet = method === 'GET';
      const search = isGet ? `?${new URLSearchParams({ query })}` : '';
      const response = await fetch(`${it.url}/graphql/stream${search}`, {
        method,
        headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
        ...(isGet ? {} : { body: JSON.stringify({ query }) }),
      });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      while (!text.includes('event: next')) text += (await reader?.read())?.value ?? '';
      await reader?.cancel();
      const [, told] = /^id: (.*)$/m.exec(text) ?? [];
      expect(told).toBeDefined();
      expect(text).toContain(`"cursor":"${told}"`);
    },
  );
});

describe('keeps out', () => {
  test('the stack of what a hook of the server throws', async () => {
    const lines: string[] = [];
    const yoga = createGraphQL({
      ...{ schema, graphiql: false, introspection: 'everyone', trustedDocuments: null },
      log: createLog('debug', { write: (line: string) => void lines.push(line) }),
      contextOf: () => Promise.reject(new Error('secret')),
      sessions: { signIn: () => Promise.reject(new Error('secret')) },
      streams: { plugin: {}, enter: () => ({ leave() {}, bindTo() {} }), end() {}, count: () => 0 },
      callbacks: { plugin: {} },
    });
    const server = createServer((request, response) => void yoga.handle(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
    const headers = { 'content-type': 'application/json', 'x-request-id': 'trace-this' };
    const put = await fetch(`${url}/stream`, { method: 'PUT', headers });
    const post = await fetch(url, {
      ...{ method: 'POST', headers },
      body: JSON.stringify({ query: '{ viewer { name } }' }),
    });
    const told = [await put.text(), await post.text()];
    server.close();
    expect(put.status).toBe(500);
    for (const text of told) {
      expect(JSON.parse(text)).toMatchObject({
        errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
      });
      expect(text).not.toMatch(/secret|\bat .*\.ts/);
    }
    expect(told[0]).toContain('trace-this');
    expect(lines.join('\n')).toContain('secret');
  });
});
