import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { NewUpload } from '../../../src/domains/uploads/service.ts';
import { InvalidInputError, RateLimitedError } from '../../../src/errors.ts';
import { openUploadHarness, type UploadHarness, until, wav } from './upload-harness.ts';

let stage: UploadHarness;
beforeAll(async () => {
  stage = await openUploadHarness();
});
afterAll(() => stage.close());
beforeEach(() => {
  stage.clock.now = new Date('2026-11-23T12:00:00Z');
});

const audio: NewUpload = { kind: 'AUDIO', contentType: 'audio/mpeg' };
const hour = 3_600_000;

function advance(ms: number) {
  stage.clock.now = new Date(stage.clock.now.getTime() + ms);
}

/** A request whose bytes never come. */
const silence = {
  body: { next: () => new Promise<never>(() => undefined) },
  contentLength: null,
  signal: new AbortController().signal,
};

function tokenOf(uploadUrl: string): string {
  return new URL(uploadUrl).pathname.slice('/uploads/'.length);
}

async function issuesOf(work: Promise<unknown>): Promise<string[]> {
  const thrown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  return thrown instanceof InvalidInputError ? thrown.issues.map(({ path }) => path.join('.')) : [];
}

describe('works', () => {
  it('gives out an address that is good for an hour and sends nothing', async () => {
    const { upload, uploadUrl } = await stage.create({ ...audio, size: 10, filename: 'a.mp3' });
    expect(upload).toMatchObject({
      state: 'WAITING',
      contentType: 'audio/mpeg',
      size: 10,
      filename: 'a.mp3',
      expiresAt: new Date(stage.clock.now.getTime() + hour),
    });
    expect(uploadUrl.startsWith(`${stage.origin}/uploads/`)).toBe(true);
    expect(uploadUrl.length).toBeLessThan(300);
    expect(await stage.find(upload.id)).toMatchObject({ state: 'WAITING', size: 10 });
    expect(await stage.sentFiles()).toEqual([]);
  });

  it('takes the limits themselves', async () => {
    await stage.create({ ...audio, size: 5 * 1024 ** 3, filename: 'ä'.repeat(255) });
    await stage.create({ ...audio, size: 1 });
  });

  it('reads as EXPIRED from the very moment on, before anybody marks the row', async () => {
    const { upload } = await stage.create(audio);
    advance(hour - 1);
    expect(await stage.find(upload.id)).toMatchObject({ state: 'WAITING' });
    advance(1);
    expect(await stage.find(upload.id)).toMatchObject({ state: 'EXPIRED' });
    expect(await stage.uploads.expireDue()).toBeGreaterThan(0);
    expect(await stage.uploads.expireDue()).toBe(0);
    expect(await stage.find(upload.id)).toMatchObject({ state: 'EXPIRED' });
  });

  it('gives up what a crash left RECEIVING, and nothing else', async () => {
    const { upload, uploadUrl } = await stage.create(audio);
    const waiting = await stage.create(audio);
    const crashed = stage.uploads.receive(tokenOf(uploadUrl), silence);
    crashed.catch(() => undefined);
    await until(
      () => stage.find(upload.id),
      (found) => found?.state === 'RECEIVING',
    );
    const startedAt = stage.clock.now;
    expect(await stage.uploads.failAbandoned(new Date(startedAt.getTime() - 1))).toBe(0);
    expect(await stage.uploads.failAbandoned(startedAt)).toBe(1);
    const found = await stage.find(upload.id);
    expect(found).toMatchObject({ state: 'FAILED', failure: { retryable: true } });
    expect(await stage.find(waiting.upload.id)).toMatchObject({ state: 'WAITING' });
  });

  it('sends a small audio file on at once', async () => {
    const file = new File([wav(2)], 'hello.mp3', { type: 'audio/mpeg' });
    const upload = await stage.uploads.sendAudio('key:ann', file);
    expect(upload).toMatchObject({
      state: 'READY',
      kind: 'AUDIO',
      contentType: 'audio/wav',
      durationSeconds: 2,
      size: 32_044,
      filename: 'hello.mp3',
    });
    expect(await stage.uploads.findReady('key:ann', upload.id)).toEqual({
      path: upload.path,
      kind: 'AUDIO',
      durationSeconds: 2,
    });
    const [sent] = (await stage.sentFiles()).slice(-1);
    expect(sent?.headers).toMatchObject({ 'content-type': 'audio/wav', 'content-length': '32044' });
  });

  it('keeps audio of more than 60 seconds, and says how long it is', async () => {
    const upload = await stage.uploads.sendAudio('key:ann', new File([wav(61)], 'long.wav'));
    expect(upload).toMatchObject({ state: 'READY', durationSeconds: 61 });
  });
});

describe('refuses', () => {
  it.each([
    ['contentType', { ...audio, contentType: 'audio/aac' }],
    ['contentType', { ...audio, contentType: 'video/mp4' }],
    ['size', { ...audio, size: 0 }],
    ['size', { ...audio, size: -1 }],
    ['size', { ...audio, size: 5 * 1024 ** 3 + 1 }],
    ['filename', { ...audio, filename: '' }],
    ['filename', { ...audio, filename: 'a'.repeat(256) }],
    ['filename', { ...audio, filename: 'a\u0000b' }],
    ['filename', { ...audio, filename: 'a\u0085b' }],
    ['filename', { ...audio, filename: 'a\ud800' }],
  ] satisfies [string, NewUpload][])('a wrong %s: %j', async (field, input) => {
    expect(await issuesOf(stage.create(input))).toEqual([`input.${field}`]);
  });

  it('everything that is wrong at once', async () => {
    const input = { kind: 'VIDEO', contentType: 'x', size: 0, filename: '\n' } as const;
    const paths = ['input.contentType', 'input.size', 'input.filename'];
    expect(await issuesOf(stage.create(input))).toEqual(paths);
  });

  it.each([
    ['an empty file', new File([], 'a.mp3')],
    ['a text', new File(['no sound'], 'a.mp3', { type: 'audio/mpeg' })],
    ['more than 25 MB', new File([Buffer.alloc(25 * 1024 ** 2 + 1)], 'a.wav')],
  ])('%s as audio', async (_, file) => {
    const before = (await stage.sentFiles()).length;
    expect(await issuesOf(stage.uploads.sendAudio('key:ann', file))).toEqual(['file']);
    expect((await stage.sentFiles()).length).toBe(before);
  });

  it("audio with the upstream's own failure, and leaves no upload", async () => {
    await stage.switches({ failPath: { path: '/files', status: 429, body: {} } });
    const work = stage.uploads.sendAudio('key:eve', new File([wav(1)], 'a.wav'));
    await expect(work).rejects.toBeInstanceOf(RateLimitedError);
    const rows = await stage.db.query("select 1 from uploads where owner = 'key:eve'");
    expect(rows).toEqual([]);
  });

  it('what the upstream calls wrong as a fault of the file', async () => {
    await stage.switches({ failPath: { path: '/files', status: 400, body: { error: 'No.' } } });
    const work = stage.uploads.sendAudio('key:ann', new File([wav(1)], 'a.wav'));
    expect(await issuesOf(work)).toEqual(['file']);
  });
});

describe('keeps out', () => {
  it("another owner's uploads, exactly as if there were none", async () => {
    const { id } = await stage.uploads.sendAudio('key:ann', new File([wav(1)], 'a.wav'));
    const none = '00000000-0000-4000-8000-000000000000';
    expect(await stage.uploads.findByKeys('key:bob', [id, none])).toEqual([null, null]);
    expect(await stage.uploads.findReady('key:bob', id)).toBeNull();
    expect(await stage.uploads.findReady('key:bob', none)).toBeNull();
  });

  it('keys that are none, and keeps the order of the others', async () => {
    const first = (await stage.create(audio)).upload.id;
    const second = (await stage.create(audio)).upload.id;
    const keys = [second, 'rubbish', '', first.toUpperCase(), first, second];
    const found = await stage.uploads.findByKeys('key:ann', keys);
    expect(found.map((upload) => upload?.id ?? null)).toEqual([
      second,
      null,
      null,
      null,
      first,
      second,
    ]);
  });

  it('an upload that is not READY from lip-syncs', async () => {
    const { upload } = await stage.create(audio);
    expect(await stage.uploads.findReady('key:ann', upload.id)).toBeNull();
  });
});
