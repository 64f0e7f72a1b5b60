import { afterAll, beforeAll, expect, it } from 'vitest';
import { QuotaExceededError } from '../../../src/errors.ts';
import { openUploadHarness, put, type UploadHarness, wav } from './upload-harness.ts';

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness({ maxWaiting: 3 });
});
afterAll(() => harness.close());

const sound = wav(1);
const create = (owner: string) =>
  harness.create({ kind: 'AUDIO', contentType: 'audio/wav', size: sound.byteLength }, owner);
const stateOf = async (id: string, owner: string) => (await harness.find(id, owner))?.state;

it('an owner has a limited number of waiting uploads, others are not affected, and each file that arrives allows another', async () => {
  const uploads = await Promise.all([1, 2, 3].map(() => create('key:ann')));
  await expect(create('key:ann')).rejects.toThrow(QuotaExceededError);
  await create('key:bob');
  expect((await put(uploads[0]?.uploadUrl ?? '', sound)).status).toBe(200);
  await create('key:ann');
  await expect(create('key:ann')).rejects.toThrow(QuotaExceededError);
});

it('an upload that expired does not count, and is erased as one that failed is', async () => {
  const failed = await create('key:cy');
  expect((await put(failed.uploadUrl, Buffer.alloc(sound.byteLength))).status).toBe(415);
  const ready = await create('key:cy');
  expect((await put(ready.uploadUrl, sound)).status).toBe(200);
  const expired = await Promise.all([1, 2, 3].map(() => create('key:cy')));
  harness.clock.now = new Date(harness.clock.now.getTime() + 3_600_000);
  const waiting = await create('key:cy');
  await harness.uploads.expireDue();

  expect(await harness.uploads.eraseUnused(harness.clock.now)).toBeGreaterThanOrEqual(4);
  const all = [failed, ...expired, ready, waiting].map(({ upload }) =>
    stateOf(upload.id, 'key:cy'),
  );
  expect(await Promise.all(all)).toEqual([
    ...Array.from({ length: 4 }, () => undefined),
    'READY',
    'WAITING',
  ]);
});

it('an upload with a file is erased in batches by its age, and newer ones stay', async () => {
  const old = await Promise.all([1, 2, 3].map(() => create('key:dee')));
  for (const { uploadUrl } of old) expect((await put(uploadUrl, sound)).status).toBe(200);
  harness.clock.now = new Date(harness.clock.now.getTime() + 1_000);
  const moment = harness.clock.now;
  const newer = await create('key:dee');
  expect((await put(newer.uploadUrl, sound)).status).toBe(200);
  const waiting = await create('key:dee');

  const eraseBatch = harness.uploads.eraseReadyBatch(moment);
  const counts: number[] = [];
  do counts.push(await eraseBatch(2));
  while (counts.at(-1) === 2);
  expect(counts.slice(0, -1)).toEqual(counts.slice(0, -1).map(() => 2));
  const states = [...old, newer, waiting].map(({ upload }) => stateOf(upload.id, 'key:dee'));
  expect(await Promise.all(states)).toEqual([undefined, undefined, undefined, 'READY', 'WAITING']);
});
