import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signToken } from '../../../src/callbacks/token.ts';
import type { NewUpload } from '../../../src/domains/uploads/service.ts';
import {
  endlessWav,
  listen,
  openUploadHarness,
  put,
  secrets,
  type UploadHarness,
  until,
  wav,
} from '../../domains/uploads/upload-harness.ts';

const mp3 = await readFile(new URL('../../../src/demo-media/speech.mp3', import.meta.url));
const mp4 = await readFile(new URL('../../../src/sandbox/media/source-1.mp4', import.meta.url));
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

const megabyte = 1024 ** 2;
const audio: NewUpload = { kind: 'AUDIO', contentType: 'audio/mpeg' };

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness();
});
afterAll(() => harness.close());
beforeEach(() => {
  harness.clock.now = new Date('2026-11-23T12:00:00Z');
});

/** Starts an upload with this content-length, and sends the first bytes. */
async function openRequest(url: string, { bytes, length }: { bytes: Uint8Array; length: number }) {
  const request = httpRequest(url, { method: 'PUT', headers: { 'content-length': length } });
  request.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    request.write(bytes, () => resolve());
  });
  return request;
}

/** An upstream that fails while it receives a file. */
async function brokenUpstream(onRequest: Parameters<typeof createServer>[1]) {
  const server = createServer(onRequest);
  const port = await listen(server);
  return { ...(await harness.openServer(harness.connect(`http://127.0.0.1:${port}`))), server };
}

async function create(input: NewUpload, receiver: Pick<UploadHarness, 'uploads'> = harness) {
  return await receiver.uploads.create('key:ann', input);
}

describe('works', () => {
  it.each([
    ['audio/wav', audio, wav(2)],
    ['audio/mpeg', { ...audio, size: mp3.byteLength }, mp3],
    ['video/mp4', { kind: 'VIDEO', contentType: 'video/quicktime' }, mp4],
  ] satisfies [string, NewUpload, Buffer][])(
    'sends a file to the upstream as %s, its real type',
    async (contentType, input, bytes) => {
      const { upload, uploadUrl } = await create(input);
      const answer = await put(uploadUrl, bytes);
      expect(answer).toMatchObject({ status: 200 });
      expect(Buffer.from(String(answer.id), 'base64url').toString()).toBe(`Upload:${upload.id}`);
      expect(answer.durationSeconds).toBeGreaterThan(1);
      const found = await harness.find(upload.id);
      expect(found).toMatchObject({ state: 'READY', contentType, size: bytes.byteLength });
      expect(found?.durationSeconds).toBe(answer.durationSeconds);
      const [sent] = (await harness.sentFiles()).slice(-1);
      expect(sent).toMatchObject({
        status: 200,
        body: { bytes: bytes.byteLength },
        headers: { 'content-type': contentType, 'content-length': String(bytes.byteLength) },
      });
      const path = (await harness.uploads.findUsable('key:ann', upload.id))?.path ?? '';
      const kept = await fetch(`${harness.sandbox.origin}/uploads/${path.split('/').at(-1)}`);
      expect(Buffer.from(await kept.arrayBuffer()).equals(bytes)).toBe(true);
    },
  );

  it('accepts a body without content-length', async () => {
    const { upload, uploadUrl } = await create(audio);
    const answer = await put(uploadUrl, Readable.from([wav(1), Buffer.alloc(100)]));
    expect(answer).toMatchObject({ status: 200, durationSeconds: 1 });
    expect(await harness.find(upload.id)).toMatchObject({ state: 'READY', size: 16_144 });
  });

  it('accepts a token that was signed with the previous secret', async () => {
    const { upload } = await create(audio);
    const { id, expiresAt } = upload;
    const token = signToken(secrets.slice(1), { purpose: 'upload', id, expiresAt });
    expect(await put(`${harness.origin}/uploads/${token}`, wav(1))).toMatchObject({ status: 200 });
  });
});

describe('refuses', () => {
  it.each([
    ['a PNG that is declared as MP3', audio, png],
    ['a text', audio, Buffer.from('Once upon a time. '.repeat(10_000))],
    ['a video where audio was declared', audio, mp4],
    ['audio where a video was declared', { kind: 'VIDEO', contentType: 'video/mp4' }, mp3],
  ] satisfies [string, NewUpload, Buffer][])(
    '%s before anything is sent to the upstream',
    async (_, input, bytes) => {
      const before = (await harness.sentFiles()).length;
      const { upload, uploadUrl } = await create({ ...input, filename: 'speech.mp3' });
      expect(await put(uploadUrl, bytes)).toMatchObject({ status: 415, code: 'INVALID_INPUT' });
      expect(await harness.find(upload.id)).toMatchObject({
        state: 'FAILED',
        failure: { code: 'INVALID_INPUT' },
      });
      expect((await harness.sentFiles()).length).toBe(before);
    },
  );

  it('another length than declared, and then accepts the declared one', async () => {
    const { upload, uploadUrl } = await create({ ...audio, size: 16_044 });
    expect(await put(uploadUrl, wav(2))).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
    expect(await put(uploadUrl, Buffer.alloc(0))).toMatchObject({ status: 400 });
    expect(await harness.find(upload.id)).toMatchObject({ state: 'WAITING' });
    expect(await put(uploadUrl, wav(1))).toMatchObject({ status: 200 });
  });

  it.each([
    ['more', 5 * megabyte],
    ['fewer', 3 * megabyte],
  ])('%s bytes than declared in a body without content-length', async (_, sent) => {
    const { upload, uploadUrl } = await create({ ...audio, size: 4 * megabyte });
    const answer = await put(uploadUrl, Readable.from(endlessWav(sent, 4 * megabyte)));
    expect(answer).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
    expect(await harness.find(upload.id)).toMatchObject({ state: 'FAILED', path: null });
    const files = await until(harness.sentFiles, (all) => all.at(-1)?.status !== undefined);
    expect(files.at(-1)?.status).toBe('aborted');
  });

  it('more than 5 GB by its content-length', async () => {
    const { uploadUrl } = await create(audio);
    const request = httpRequest(uploadUrl, {
      method: 'PUT',
      headers: { 'content-length': 5 * 1024 ** 3 + 1 },
    });
    request.on('error', () => undefined);
    request.flushHeaders();
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(413);
    request.destroy();
  });

  it('a second file, also while the first is arriving', async () => {
    const { upload, uploadUrl } = await create(audio);
    const bytes = wav(1);
    const first = await openRequest(uploadUrl, {
      bytes: bytes.subarray(0, 8_000),
      length: bytes.byteLength,
    });
    await until(
      () => harness.find(upload.id),
      (found) => found?.state === 'RECEIVING',
    );
    expect(await put(uploadUrl, bytes)).toMatchObject({ status: 409, code: 'INVALID_INPUT' });
    first.end(bytes.subarray(8_000));
    const [response] = await once(first, 'response');
    response.resume();
    expect(response.statusCode).toBe(200);
    expect(await put(uploadUrl, bytes)).toMatchObject({ status: 409 });
  });

  it('all but one of several concurrent uploads to one URL', async () => {
    const { uploadUrl } = await create(audio);
    const answers = await Promise.all(Array.from({ length: 10 }, () => put(uploadUrl, wav(1))));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
  });

  it('a file after the URL has expired', async () => {
    const { uploadUrl } = await create(audio);
    harness.clock.now = new Date(harness.clock.now.getTime() + 3_600_000);
    expect(await put(uploadUrl, wav(1))).toMatchObject({ status: 410, code: 'NOT_FOUND' });
    await harness.uploads.expireDue();
    expect(await put(uploadUrl, wav(1))).toMatchObject({ status: 410 });
  });

  it('other methods', async () => {
    const { uploadUrl } = await create(audio);
    const response = await fetch(uploadUrl);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'PUT']);
  });

  it.each([
    [400, 400, 'INVALID_INPUT'],
    [401, 502, 'UPSTREAM_UNAUTHORIZED'],
    [402, 502, 'SUBSCRIPTION_EXPIRED'],
    [429, 429, 'RATE_LIMITED'],
    [503, 502, 'UPSTREAM_UNAVAILABLE'],
    [596, 502, 'ACCOUNT_PENDING'],
  ])('a file that the upstream rejects: %i becomes %i %s', async (status, expected, code) => {
    const { upload, uploadUrl } = await create(audio);
    await harness.switches({ failPath: { path: '/files', status, body: { error: 'No.' } } });
    const answer = await put(uploadUrl, wav(1));
    expect(answer).toMatchObject({ status: expected, code });
    expect(answer.headers.has('retry-after')).toBe(status === 429);
    expect(await harness.find(upload.id)).toMatchObject({ state: 'FAILED', failure: { code } });
  });

  it('the rest of the file at once when the upstream fails', async () => {
    const broken = await brokenUpstream((request) => {
      request.once('data', () => request.socket.destroy());
    });
    const { upload, uploadUrl } = await create(audio, broken);
    let taken = 0;
    const client = Readable.from(
      (async function* () {
        for await (const piece of endlessWav(1_000 * megabyte)) {
          taken += piece.byteLength;
          yield piece;
        }
      })(),
    );
    const answer = await put(uploadUrl, client);
    expect(answer).toMatchObject({ status: 502, code: 'UPSTREAM_UNAVAILABLE' });
    expect(answer.headers.get('connection')).toBe('close');
    expect(taken).toBeLessThan(50 * megabyte);
    expect(await harness.find(upload.id)).toMatchObject({
      state: 'FAILED',
      failure: { code: 'UPSTREAM_UNAVAILABLE' },
    });
    broken.server.close();
  });

  it('a file that the upstream confirms before it has received all of it', async () => {
    const hasty = await brokenUpstream((request, response) => {
      request.once('data', () => {
        response.end(JSON.stringify({ path: 'upload/half.wav' }));
      });
    });
    const { upload, uploadUrl } = await create(audio, hasty);
    const client = Readable.from(endlessWav(200 * megabyte));
    expect(await put(uploadUrl, client)).toMatchObject({ status: 502 });
    expect(await harness.find(upload.id)).toMatchObject({ state: 'FAILED', path: null });
    hasty.server.close();
  });

  it('to continue when the server stops', async () => {
    const server = await harness.openServer(harness.upstream);
    const { upload, uploadUrl } = await create(audio, server);
    const request = await openRequest(uploadUrl, { bytes: wav(10), length: 10 * megabyte });
    await until(harness.sentFiles, (all) => all.at(-1)?.status === undefined);
    server.stop();
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(503);
    expect(await harness.find(upload.id)).toMatchObject({
      state: 'FAILED',
      failure: { retryable: true },
    });
    request.destroy();
  });
});

describe('keeps out', () => {
  it('forged tokens, without revealing whether the upload exists', async () => {
    const { upload, uploadUrl } = await create(audio);
    const token = uploadUrl.slice(`${harness.origin}/uploads/`.length);
    const character = fc.constantFrom(...'abcXYZ019-_.');
    const tampering = fc
      .tuple(fc.nat(token.length - 1), character)
      .filter(([at, put]) => token[at] !== put);
    await fc.assert(
      fc.asyncProperty(tampering, async ([at, replacement]) => {
        const forged = token.slice(0, at) + replacement + token.slice(at + 1);
        const answer = await put(`${harness.origin}/uploads/${forged}`, wav(1));
        expect(answer).toMatchObject({ status: 404, code: 'NOT_FOUND' });
        expect(JSON.stringify(answer)).not.toContain(upload.id);
      }),
      { numRuns: 50 },
    );
    expect(await harness.find(upload.id)).toMatchObject({ state: 'WAITING' });
  });

  it('tokens of another endpoint, of another secret, and of a deleted upload', async () => {
    const { upload } = await create(audio);
    const { id, expiresAt } = upload;
    const deleted = '00000000-0000-4000-8000-000000000000';
    const tokens = [
      signToken(secrets, { purpose: 'callback', id, expiresAt }),
      signToken(['another secret, never configured'], { purpose: 'upload', id, expiresAt }),
      signToken(secrets, { purpose: 'upload', id: deleted, expiresAt }),
      signToken(secrets, { purpose: 'upload', id: 'no-uuid', expiresAt }),
      '',
      '%00',
    ];
    const answers = await Promise.all(
      tokens.map((token) => put(`${harness.origin}/uploads/${token}`, wav(1))),
    );
    const bodies = answers.map(({ headers: _, ...body }) => JSON.stringify(body));
    expect(new Set(bodies).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 404 });
  });

  it.each([
    ['the file header', 100],
    ['the file', 2 * megabyte],
  ])(
    'partial files: a client that disconnects within %s makes the upload FAILED',
    async (_, bytes) => {
      const { upload, uploadUrl } = await create(audio);
      const before = (await harness.sentFiles()).length;
      const sound = Buffer.concat([wav(1), Buffer.alloc(2 * megabyte)]).subarray(0, bytes);
      const request = await openRequest(uploadUrl, { bytes: sound, length: 50 * megabyte });
      const hasArrived = (all: unknown[]) => all.length > before || bytes === 100;
      await until(harness.sentFiles, hasArrived);
      await until(
        () => harness.find(upload.id),
        (found) => found?.state === 'RECEIVING',
      );
      request.destroy();
      const found = await until(
        () => harness.find(upload.id),
        (now) => now?.state === 'FAILED',
      );
      expect(found).toMatchObject({ path: null, failure: { code: 'INVALID_INPUT' } });
      const files = await until(harness.sentFiles, (all) => all.at(-1)?.status !== undefined);
      const statuses = files.slice(before).map(({ status }) => status);
      expect(statuses).toEqual(bytes === 100 ? [] : ['aborted']);
    },
  );

  it('a client that stops sending: its upload times out', async () => {
    const shortTimeout = await openUploadHarness({ timeoutMs: 300 });
    const { upload, uploadUrl } = await shortTimeout.create(audio);
    const request = await openRequest(uploadUrl, { bytes: wav(10), length: 50 * megabyte });
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(408);
    expect(await shortTimeout.find(upload.id)).toMatchObject({ state: 'FAILED' });
    request.destroy();
    await shortTimeout.close();
  });

  // Each byte started the idle timeout again, so an upload of a byte now and then never ended.
  it('a client that sends single bytes: its upload times out', async () => {
    const impatient = await openUploadHarness({ minRate: { bytes: 2_000, inMs: 500 } });
    const { upload, uploadUrl } = await impatient.create(audio);
    const request = await openRequest(uploadUrl, { bytes: wav(10), length: 50 * megabyte });
    const drip = setInterval(() => request.write('-'), 50);
    const [response] = await once(request, 'response');
    clearInterval(drip);
    expect(response.statusCode).toBe(408);
    expect(await impatient.find(upload.id)).toMatchObject({ state: 'FAILED' });
    request.destroy();
    await impatient.close();
  });
});
