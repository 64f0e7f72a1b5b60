import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { startTestApp } from '../../support/app.ts';

/** A client that answers pings, and counts them, while the event loop of the server, which is that of the test, is blocked. */
const client = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { WebSocket } = require('ws');
  const socket = new WebSocket(workerData.url, 'graphql-transport-ws');
  socket.on('open', () => socket.send('{"type":"connection_init"}'));
  socket.on('message', () => parentPort.postMessage('acknowledged'));
  socket.on('close', (code) => parentPort.postMessage(code));
  socket.on('ping', () => {
    Atomics.add(workerData.pings, 0, 1);
    Atomics.notify(workerData.pings, 0);
  });
`;

test('keeps a client whose pong arrives while the event loop is blocked for longer than the interval of pings', async () => {
  const heartbeatMs = 200;
  await using app = await startTestApp({ heartbeatMs });
  const pings = new Int32Array(new SharedArrayBuffer(4));
  const url = `${app.url.replace('http', 'ws')}/graphql`;
  const worker = new Worker(client, { eval: true, workerData: { url, pings } });
  const messages: unknown[] = [];
  worker.on('message', (message) => messages.push(message));
  try {
    await once(worker, 'message');
    while (pings[0] === 0) await nextTurn();
    for (let answered = 1; answered < 5 && messages.length === 1; answered += 1) {
      // The next ping is due when the event loop continues.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, heartbeatMs * 1.5);
      await nextTurn();
      await nextTurn();
      Atomics.wait(pings, 0, answered, 10_000);
    }
    expect(messages).toEqual(['acknowledged']);
    expect(pings[0]).toBeGreaterThanOrEqual(5);
  } finally {
    await worker.terminate();
  }
});
