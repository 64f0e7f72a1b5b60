import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endlessWav, listen, openUploadHarness, type UploadHarness } from './upload-harness.ts';

const megabyte = 1024 ** 2;
const size = 96 * megabyte;

/** Most that may be read from the client and not yet given to the upstream's connection. Some 200 KB were seen. */
const mostHeld = 2 * megabyte;

let stage: UploadHarness;
beforeAll(async () => {
  stage = await openUploadHarness();
});
afterAll(() => stage.close());

/** What this process has handed to its connections to a port, as node's own channel knows them. */
function countSentTo(port: number) {
  const sockets: Socket[] = [];
  subscribe('net.client.socket', (message) => {
    sockets.push((message as { socket: Socket }).socket);
  });
  return () =>
    sockets
      .filter(({ remotePort }) => remotePort === port)
      .reduce((sum, { bytesWritten, writableLength }) => sum + bytesWritten - writableLength, 0);
}

/** Takes as much of a file as it was allowed to, and waits. */
async function openMeteredUpstream() {
  let taken = 0;
  let allowed = 0;
  let wake = () => {};
  const server = createServer(async (request, response) => {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      taken += chunk.byteLength;
      while (taken >= allowed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    response.end(JSON.stringify({ path: 'upload/slow.wav' }));
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    sent: countSentTo(port),
    taken: () => taken,
    /** Resolves when it has taken that much. */
    async take(bytes: number): Promise<void> {
      allowed = bytes;
      wake();
      await expect
        .poll(() => taken, { timeout: 20_000, interval: 5 })
        .toBeGreaterThanOrEqual(bytes);
    },
    takeTheRest() {
      allowed = Number.POSITIVE_INFINITY;
      wake();
    },
    close: () => server.close().closeAllConnections(),
  };
}

/** Resolves once a number has stayed the same for a while: everything that may move has moved. */
async function standsStill(read: () => number): Promise<number> {
  let before = Number.NaN;
  let times = 0;
  await expect
    .poll(
      () => {
        times = read() === before ? times + 1 : 0;
        before = read();
        return times;
      },
      { timeout: 20_000, interval: 10 },
    )
    .toBeGreaterThanOrEqual(5);
  return before;
}

describe('works', () => {
  it('holds next to nothing of 96 MB, however long the upstream makes it wait', async () => {
    const slow = await openMeteredUpstream();
    const door = await stage.openDoor(stage.connect(slow.url));
    const { uploadUrl } = await door.uploads.create('key:ann', {
      kind: 'AUDIO',
      contentType: 'audio/wav',
      size,
    });
    const request = httpRequest(uploadUrl, {
      method: 'PUT',
      headers: { 'content-length': size },
    });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    const sent = pipeline(endlessWav(size), request);
    const step = 16 * megabyte;
    for (let bytes = step; bytes <= size - step; bytes += step) {
      await slow.take(bytes);
      const read = await standsStill(door.bytesRead);
      expect(slow.sent()).toBeGreaterThanOrEqual(slow.taken());
      expect(read - slow.sent()).toBeLessThan(mostHeld);
    }
    slow.takeTheRest();
    await sent;
    const [response] = await answered;
    expect(await json(response)).toMatchObject({ state: 'READY', durationSeconds: 6291.453 });
    expect(slow.taken()).toBe(size);
    slow.close();
  }, 60_000);
});
