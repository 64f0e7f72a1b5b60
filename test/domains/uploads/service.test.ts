import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { NewUpload } from '../../../src/domains/uploads/service.ts';
import { InvalidInputError, RateLimitedError } from '../../../src/errors.ts';
import { openUploadHarness, type UploadHarness, wav } from './upload-harness.ts';

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness();
});
afterAll(() => harness.close());
beforeEach(() => {
  harness.clock.now = new Date('2026-11-23T12:00:00Z');
});

const audio: NewUpload = { kind: 'AUDIO', contentType: 'audio/mpeg' };
const hour = 3_600_000;

function advance(ms: number) {
  harness.clock.now = new Date(harness.clock.now.getTime() + ms);
}

async function issuesOf(work: Promise<unknown>): Promise<string[]> {
  const thrown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  return thrown instanceof InvalidInputError ? thrown.issues.map(({ path }) => path.join('.')) : [];
}

describe('works', () => {
  it('gives a URL that is valid for an hour, and sends nothing upstream', async () => {
    const { upload, uploadUrl } = await harness.create({ ...audio, size: 10, filename: 'a.mp3' });
    expect(upload).toMatchObject({
      state: 'WAITING',
      contentType: 'audio/mpeg',
      size: 10,
      filename: 'a.mp3',
      expiresAt: new Date(harness.clock.now.getTime() + hour),
    });
    expect(uploadUrl.startsWith(`${harness.origin}/uploads/`)).toBe(true);
    expect(uploadUrl.length).toBeLessThan(300);
    expect(await harness.find(upload.id)).toMatchObject({ state: 'WAITING', size: 10 });
    expect(await harness.sentFiles()).toEqual([]);
  });

  it('accepts the minimum and the maximum', async () => {
    await harness.create({ ...audio, size: 5 * 1024 ** 3, filename: 'ä'.repeat(255) });
    await harness.create({ ...audio, size: 1 });
  });

  it('shows an upload as EXPIRED from its expiry on, before its row is marked', async () => {
    const { upload } = await harness.create(audio);
    advance(hour - 1);
    expect(await harness.find(upload.id)).toMatchObject({ state: 'WAITING' });
    advance(1);
    expect(await harness.find(upload.id)).toMatchObject({ state: 'EXPIRED' });
    expect(await harness.uploads.expireDue()).toBeGreaterThan(0);
    expect(await harness.uploads.expireDue()).toBe(0);
    expect(await harness.find(upload.id)).toMatchObject({ state: 'EXPIRED' });
  });

  it('sends a small audio file on at once', async () => {
    const file = new File([wav(2)], 'hello.mp3', { type: 'audio/mpeg' });
    const upload = await harness.uploads.sendAudio('key:ann', file);
    expect(upload).toMatchObject({
      state: 'READY',
      kind: 'AUDIO',
      contentType: 'audio/wav',
      durationSeconds: 2,
      size: 32_044,
      filename: 'hello.mp3',
    });
    expect(await harness.uploads.findUsable('key:ann', upload.id)).toEqual({
      id: upload.id,
      path: upload.path,
      kind: 'AUDIO',
      durationSeconds: 2,
      isArriving: false,
    });
    const [sent] = (await harness.sentFiles()).slice(-1);
    expect(sent?.headers).toMatchObject({ 'content-type': 'audio/wav', 'content-length': '32044' });
  });
});

describe('refuses', () => {
  it.each([
    ['contentType', { ...audio, contentType: 'audio/midi' }],
    ['contentType', { ...audio, contentType: 'image/png' }],
    ['size', { ...audio, size: 0 }],
    ['size', { ...audio, size: -1 }],
    ['size', { ...audio, size: 5 * 1024 ** 3 + 1 }],
    ['filename', { ...audio, filename: '' }],
    ['filename', { ...audio, filename: 'a'.repeat(256) }],
    ['filename', { ...audio, filename: 'a\u0000b' }],
    ['filename', { ...audio, filename: 'a\u0085b' }],
    ['filename', { ...audio, filename: 'a\ud800' }],
  ] satisfies [string, NewUpload][])('an invalid %s: %j', async (field, input) => {
    expect(await issuesOf(harness.create(input))).toEqual([`input.${field}`]);
  });

  it('all invalid fields at once', async () => {
    const input = { kind: 'VIDEO', contentType: 'x', size: 0, filename: '\n' } as const;
    const paths = ['input.contentType', 'input.size', 'input.filename'];
    expect(await issuesOf(harness.create(input))).toEqual(paths);
  });

  it.each([
    ['an empty file', new File([], 'a.mp3')],
    ['a text', new File(['not audio'], 'a.mp3', { type: 'audio/mpeg' })],
    ['more than 25 MB', new File([Buffer.alloc(25 * 1024 ** 2 + 1)], 'a.wav')],
  ])('%s as audio', async (_, file) => {
    const before = (await harness.sentFiles()).length;
    expect(await issuesOf(harness.uploads.sendAudio('key:ann', file))).toEqual(['file']);
    expect((await harness.sentFiles()).length).toBe(before);
  });

  it("audio with the upstream's failure, and creates no upload", async () => {
    await harness.switches({ failPath: { path: '/files', status: 429, body: {} } });
    const work = harness.uploads.sendAudio('key:eve', new File([wav(1)], 'a.wav'));
    await expect(work).rejects.toBeInstanceOf(RateLimitedError);
    const rows = await harness.db.query("select 1 from uploads where owner = 'key:eve'");
    expect(rows).toEqual([]);
  });

  it('a file with invalid content for the upstream as an issue of the file', async () => {
    await harness.switches({ failPath: { path: '/files', status: 400, body: { error: 'No.' } } });
    const work = harness.uploads.sendAudio('key:ann', new File([wav(1)], 'a.wav'));
    expect(await issuesOf(work)).toEqual(['file']);
  });
});

const keysOf = (owner: string, keys: readonly string[]) => keys.map((key) => ({ owner, key }));

describe('keeps out', () => {
  it("another owner's uploads, with the same result as missing uploads", async () => {
    const { id } = await harness.uploads.sendAudio('key:ann', new File([wav(1)], 'a.wav'));
    const missing = '00000000-0000-4000-8000-000000000000';
    expect(await harness.uploads.findByKeys(keysOf('key:bob', [id, missing]))).toEqual([
      null,
      null,
    ]);
    expect(await harness.uploads.findUsable('key:bob', id)).toBeNull();
    expect(await harness.uploads.findUsable('key:bob', missing)).toBeNull();
  });

  it('invalid keys, and keeps the order of the others', async () => {
    const first = (await harness.create(audio)).upload.id;
    const second = (await harness.create(audio)).upload.id;
    const keys = [second, 'rubbish', '', first.toUpperCase(), first, second];
    const found = await harness.uploads.findByKeys(keysOf('key:ann', keys));
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
    const { upload } = await harness.create(audio);
    expect(await harness.uploads.findUsable('key:ann', upload.id)).toBeNull();
  });
});
