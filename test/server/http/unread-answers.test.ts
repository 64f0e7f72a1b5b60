import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createApiKeys } from '../../support/api-keys.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';

let it: TestApp;
beforeAll(async () => {
  const { env } = createApiKeys({ ann: ['lipsync:read'] });
  it = await startTestApp({ env, heartbeatMs: 1_000 });
});
afterAll(() => it?.stop());

async function connect(options: object): Promise<WebSocket> {
  const url = `${it.url.replace(/^http/, 'ws')}/graphql`;
  const socket = new WebSocket(url, 'graphql-transport-ws', options);
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

describe('works', () => {
  test('a client that answers pings stays connected', async () => {
    const socket = await connect({});
    let pings = 0;
    socket.on('ping', () => {
      pings += 1;
    });
    await vi.waitFor(() => expect(pings).toBeGreaterThan(2), longWait);
    expect(socket.readyState).toBe(socket.OPEN);
    socket.terminate();
  });
});

describe('keeps out', () => {
  test('a client that sends pongs without reading the pings', async () => {
    const socket = await connect({ autoPong: false });
    socket.send('{"type":"connection_init"}');
    const timer = setInterval(() => socket.pong(), 10);
    const [code] = await once(socket, 'close');
    clearInterval(timer);
    expect(code).toBe(1006);
  });
});

describe('a client that has not signed in and does not read', () => {
  let quiet: TestApp;
  beforeAll(async () => {
    quiet = await startTestApp({ env: createApiKeys({ ann: ['lipsync:read'] }).env });
  });
  afterAll(() => quiet?.stop());

  const unreadBytes = async () => {
    const text = await (await fetch(`${quiet.url}/metrics`)).text();
    return Number(/^lipsync_websocket_unread_bytes (\d+)$/m.exec(text)?.[1]);
  };

  // It once held 8 MB of answers to its pings, on each of two thousand connections.
  test('is not read from until it has read the answers to its pings', async () => {
    const raw = await RawWebSocket.open(quiet.url);
    raw.socket.pause();
    const ping = JSON.stringify({ type: 'ping', payload: { a: 'x'.repeat(15_000) } });
    // More than the kernel buffers in both directions.
    for (let n = 0; n < 1_500; n += 1) raw.socket.send(ping);
    await vi.waitFor(async () => expect(await unreadBytes()).toBeGreaterThan(0), longWait);
    await vi.waitFor(() => expect(raw.socket.bufferedAmount).toBeGreaterThan(0), longWait);
    expect(await unreadBytes()).toBeLessThan(300_000);
    raw.socket.resume();
    const pongs = () => raw.messages.filter(({ type }) => type === 'pong').length;
    await vi.waitFor(() => expect(pongs()).toBe(1_500), longWait);
    expect(await unreadBytes()).toBe(0);
    raw.socket.terminate();
  });
});
