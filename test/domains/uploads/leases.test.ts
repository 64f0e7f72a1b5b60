import { afterAll, beforeAll, expect, it } from 'vitest';
import type { UploadService } from '../../../src/domains/uploads/service.ts';
import { openUploadHarness, type UploadHarness, until } from './upload-harness.ts';

let harness: UploadHarness;
/** Of another process with the same database. */
let other: UploadService;
beforeAll(async () => {
  harness = await openUploadHarness({ leaseRenewalMs: 5 });
  await harness.jobs.start();
  other = (await harness.openServer(harness.upstream)).uploads;
  await other.start();
});
afterAll(async () => {
  other.stop();
  harness.uploads.stop();
  await harness.jobs.stop();
  await harness.close();
});

/** A request whose bytes never arrive. */
const silentFile = {
  body: { next: () => new Promise<never>(() => undefined) },
  contentLength: null,
  signal: new AbortController().signal,
};

async function receiveBy(process: UploadService): Promise<string> {
  const { upload, uploadUrl } = await harness.create({
    kind: 'AUDIO',
    contentType: 'audio/mpeg',
  });
  const token = new URL(uploadUrl).pathname.slice('/uploads/'.length);
  process.receive(token, silentFile).catch(() => undefined);
  await until(
    () => harness.find(upload.id),
    (found) => found?.state === 'RECEIVING',
  );
  return upload.id;
}

it('fails the uploads of a process that renews them no more, within 15 seconds, and those of no other one', async () => {
  // Was not started, so it renews nothing.
  const abandoned = await receiveBy(harness.uploads);
  const received = await receiveBy(other);
  const { upload: waiting } = await harness.create({ kind: 'AUDIO', contentType: 'audio/mpeg' });
  const ended: string[] = [];
  other.onEnd((id) => void ended.push(id));
  for (let second = 0; second < 15; second += 1) {
    harness.clock.now = new Date(harness.clock.now.getTime() + 1_000);
    const { now } = harness.clock;
    const isRenewed = (at: Date | null | undefined) => at?.getTime() === now.getTime();
    await until(
      () => harness.find(received),
      (found) => isRenewed(found?.receivingAt),
    );
  }
  const found = await until(
    () => harness.find(abandoned),
    (each) => each?.state === 'FAILED',
  );
  expect(found).toMatchObject({ failure: { retryable: true } });
  expect(await harness.find(received)).toMatchObject({ state: 'RECEIVING' });
  expect(await harness.find(waiting.id)).toMatchObject({ state: 'WAITING' });
  expect(ended).toEqual([abandoned]);
});
