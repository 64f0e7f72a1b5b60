import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openUploadHarness, put, type UploadHarness, until, wav } from './upload-harness.ts';

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness({ concurrency: { all: 8, perOwner: 6 } });
});
afterAll(() => harness.close());

const sound = wav(1);
const create = (owner: string) =>
  harness.create({ kind: 'AUDIO', contentType: 'audio/wav', size: sound.byteLength }, owner);

/** Sends the first half of a file. */
function beginPut(url: string) {
  const request = httpRequest(url, {
    method: 'PUT',
    agent: false,
    headers: { 'content-length': sound.byteLength },
  });
  request.on('error', () => undefined);
  request.write(sound.subarray(0, 8_000));
  const answered = once(request, 'response').then(([response]) => response as IncomingMessage);
  answered.catch(() => undefined);
  return { answered, finish: () => request.end(sound.subarray(8_000)) };
}

describe('keeps out', () => {
  it('uploads of one owner beyond its share: others upload, and the URL can be used later', async () => {
    const uploads = await Promise.all(Array.from({ length: 7 }, () => create('key:ann')));
    const clients = uploads.map(({ uploadUrl }) => beginPut(uploadUrl));
    const rejected = await Promise.all(
      [1, 2, 3].map(() => Promise.race(clients.map(({ answered }) => answered))),
    );
    expect(rejected.map(({ statusCode }) => statusCode)).toEqual([429, 429, 429]);
    expect(rejected[0]?.headers['retry-after']).toBe('10');
    const states = await until(
      () => Promise.all(uploads.map(({ upload }) => harness.find(upload.id))),
      (all) => all.filter((upload) => upload?.state === 'RECEIVING').length === 4,
    );
    expect(states.filter((upload) => upload?.state === 'WAITING')).toHaveLength(3);

    const other = await create('key:bob');
    expect((await put(other.uploadUrl, sound)).status).toBe(200);

    for (const [at, upload] of states.entries()) {
      if (upload?.state !== 'RECEIVING') continue;
      clients[at]?.finish();
      expect((await clients[at]?.answered)?.statusCode).toBe(200);
    }
    const waiting = uploads.find((_, at) => states[at]?.state === 'WAITING');
    expect((await put(waiting?.uploadUrl ?? '', sound)).status).toBe(200);
  });
});
