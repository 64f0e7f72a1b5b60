import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeUpstream } from '../../support/fake-upstream/server.ts';
import { endlessWav, openUploadHarness, type UploadHarness } from './upload-harness.ts';

const megabyte = 1024 ** 2;
/** The head and whole frames of 128 bytes: an incomplete last frame is cut where the sizes are corrected. */
const size = 44 + 300 * megabyte;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Collects the garbage first, because garbage that is not collected yet would be measured too. */
function measureLiveBytes(): number {
  collectGarbage();
  // The memory of buffers is freed in the background, at the latest by the next collection.
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness();
});
afterAll(() => harness.close());

describe('works', () => {
  it('holds less than 64 MB of a WAV of 300 MB, also if its sizes are corrected', async () => {
    let taken = 0;
    let measuredAt = 0;
    let most = 0;
    await using upstream = await startFakeUpstream();
    upstream.handle('POST /files', async (request, response) => {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        taken += chunk.byteLength;
        // Each measurement collects the garbage of the whole process.
        if (taken - measuredAt < 32 * megabyte) continue;
        measuredAt = taken;
        most = Math.max(most, measureLiveBytes());
      }
      response.end(JSON.stringify({ path: 'upload/large.wav' }));
    });
    const handler = await harness.openServer(harness.connect(upstream.baseUrl));
    for (const claimed of [size, 2_000_000_044]) {
      taken = 0;
      measuredAt = 0;
      most = 0;
      const before = measureLiveBytes();
      const { uploadUrl } = await handler.uploads.create('key:ann', {
        kind: 'AUDIO',
        contentType: 'audio/wav',
        size,
      });
      const headers = { 'content-length': size };
      // Unlike fetch, which would hold the file in this process, it waits for the server.
      const request = httpRequest(uploadUrl, { method: 'PUT', headers });
      const answered = once(request, 'response') as Promise<[IncomingMessage]>;
      await pipeline(endlessWav(size, claimed), request);
      const [response] = await answered;
      expect(response.statusCode).toBe(200);
      expect(await json(response)).toMatchObject({ durationSeconds: 12.8 });
      expect(taken).toBe(size);
      expect(most - before).toBeLessThan(64 * megabyte);
    }
  }, 180_000);
});
