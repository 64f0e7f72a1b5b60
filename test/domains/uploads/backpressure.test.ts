import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeUpstream } from '../../support/fake-upstream/server.ts';
import { endlessWav, openUploadHarness, type UploadHarness } from './upload-harness.ts';

const megabyte = 1024 ** 2;
const size = 96 * megabyte;

/** The most bytes read from the client but not yet sent to the upstream. About 200 KB were measured. */
const maxHeldBytes = 2 * megabyte;

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness();
});
afterAll(() => harness.close());

/** The bytes that this process has sent to a port; Node's diagnostics channel reports its connections. */
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

/** An upstream that reads only as many bytes as the test allows. */
async function openMeteredUpstream() {
  let taken = 0;
  let allowed = 0;
  let wake = () => {};
  const upstream = await startFakeUpstream();
  upstream.handle('POST /files', async (request, response) => {
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
  return {
    url: upstream.baseUrl,
    sent: countSentTo(Number(new URL(upstream.baseUrl).port)),
    taken: () => taken,
    /** Allows that many bytes, and resolves when they were read. */
    async take(bytes: number): Promise<void> {
      allowed = bytes;
      wake();
      await expect
        .poll(() => taken, { timeout: 60_000, interval: 5 })
        .toBeGreaterThanOrEqual(bytes);
    },
    takeRest() {
      allowed = Number.POSITIVE_INFINITY;
      wake();
    },
    close: upstream.close,
  };
}

/** Resolves once a number has stayed the same for a while, so that no more bytes are moving. */
async function readWhenStable(read: () => number): Promise<number> {
  let before = Number.NaN;
  let times = 0;
  await expect
    .poll(
      () => {
        times = read() === before ? times + 1 : 0;
        before = read();
        return times;
      },
      { timeout: 60_000, interval: 10 },
    )
    .toBeGreaterThanOrEqual(5);
  return before;
}

describe('works', () => {
  it('holds at most 2 MB of a 96 MB file while the upstream is slow', async () => {
    const slow = await openMeteredUpstream();
    const handler = await harness.openServer(harness.connect(slow.url));
    const { uploadUrl } = await handler.uploads.create('key:ann', {
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
      const read = await readWhenStable(handler.bytesRead);
      expect(slow.sent()).toBeGreaterThanOrEqual(slow.taken());
      expect(read - slow.sent()).toBeLessThan(maxHeldBytes);
    }
    slow.takeRest();
    await sent;
    const [response] = await answered;
    expect(await json(response)).toMatchObject({ status: 'READY', durationSeconds: 4.096 });
    expect(slow.taken()).toBe(size);
    await slow.close();
  });
});
