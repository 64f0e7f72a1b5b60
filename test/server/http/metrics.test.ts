import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMetrics } from '../../../src/server/http/metrics.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { sendRequest } from '../../support/http.ts';

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({ env: { METRICS_TOKEN: 'scrape-me' } });
});
afterAll(() => it?.stop());

const noWork = {
  ...{ waiting: 0, oldestWaitingSeconds: 0, outcomeUnknown: 0 },
  ...{ statuses: [], accounts: [] },
};

const ownSources = {
  readWork: async () => noWork,
  countStreams: () => ({ sse: 0, multipart: 0, websocket: 0, callback: 0, mcp: 0 }),
  countUnreadBytes: () => 0,
  countConnections: () => null,
};

/** A server that has metrics only. Each collection waits for `release`. */
async function serveMetrics() {
  let collections = 0;
  let release = () => {};
  const metrics = createMetrics();
  metrics.connect({
    ...ownSources,
    readWork: () => {
      collections += 1;
      return new Promise((resolve) => {
        release = () => resolve(noWork);
      });
    },
  });
  const responses: ServerResponse[] = [];
  const server = createServer((_, response) => {
    responses.push(response);
    void metrics.send(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    metrics,
    responses,
    server,
    count: () => collections,
    release: () => release(),
  };
}

describe('works', () => {
  test('concurrent requests share one collection, and a later one gets a new one', async () => {
    const served = await serveMetrics();
    const texts = Promise.all(
      Array.from({ length: 20 }, async () => (await fetch(served.url)).text()),
    );
    await expect.poll(() => [served.responses.length, served.count()]).toEqual([20, 1]);
    served.release();
    expect(new Set(await texts).size).toBe(1);
    const later = fetch(served.url);
    await expect.poll(served.count).toBe(2);
    served.release();
    expect((await later).status).toBe(200);
    served.server.close();
  });

  test('METRICS_TOKEN opens /metrics', async () => {
    for (const authorization of ['Bearer scrape-me', 'bearer scrape-me']) {
      const { status, text } = await sendRequest(it.url, {
        path: '/metrics',
        headers: { authorization },
      });
      expect([status, text.includes('lipsync_lipsyncs')]).toEqual([200, true]);
    }
  });
});

describe('keeps out', () => {
  test('a client that has disconnected: it causes no collection', async () => {
    const served = await serveMetrics();
    const { port, host } = new URL(served.url);
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    const gone = Promise.withResolvers<void>();
    served.server.prependOnceListener('request', (request, response) => {
      response.once('close', gone.resolve);
      request.socket.destroy();
    });
    await gone.promise;
    const later = fetch(served.url);
    await expect.poll(() => served.responses.length).toBe(2);
    await expect.poll(served.count).toBe(1);
    served.release();
    expect((await later).status).toBe(200);
    expect(served.count()).toBe(1);
    served.server.close();
  });

  test.each([
    undefined,
    'Bearer',
    'Bearer wrong',
    'Basic scrape-me',
    'Bearer scrape-me x',
    'scrape-me',
  ])('a request with the authorization %o, where METRICS_TOKEN is set', async (authorization) => {
    const headers = authorization === undefined ? {} : { authorization };
    const {
      status,
      headers: received,
      text,
    } = await sendRequest(it.url, { path: '/metrics', headers });
    expect([status, received['www-authenticate']]).toEqual([401, 'Bearer']);
    expect(JSON.parse(text).code).toBe('NOT_AUTHENTICATED');
    expect(text).not.toContain('scrape-me');
  });
});
