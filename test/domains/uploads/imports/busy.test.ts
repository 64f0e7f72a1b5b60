import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { createSoundConverter } from '../../../../src/audio/sound-converter.ts';
import { openFileServer, sendFile } from '../../../support/file-server.ts';
import { longWait } from '../../../support/lipsyncs.ts';
import { openUploadHarness, put } from '../upload-harness.ts';

const flac = readFileSync(new URL('../sounds/sound.flac', import.meta.url));
const speech = readFileSync(new URL('../../../../src/demo-media/speech.mp3', import.meta.url));

/** The imports of one owner that run at the same time. */
const runningImports = 4;

/** Imports of an owner for whom no slot is free until `release` is called. */
async function openBusyImports() {
  const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
  const real = createSoundConverter();
  let started = 0;
  const harness = await openUploadHarness({
    decodings: { all: 8, perOwner: 4 },
    converter: {
      async convert(job, signal) {
        started += 1;
        await isReleased;
        return await real.convert(job, signal);
      },
    },
  });
  const files = await openFileServer({
    '/a.flac': sendFile(flac, 'audio/flac'),
    '/speech.mp3': sendFile(speech, 'audio/mpeg'),
  });
  await harness.jobs.start();
  await harness.uploads.start();
  const decoding = Array.from({ length: 4 }, async () => {
    const { uploadUrl } = await harness.create({ kind: 'AUDIO', contentType: 'audio/flac' });
    return await put(uploadUrl, flac);
  });
  await vi.waitFor(() => expect(started).toBe(4), longWait);
  return {
    ...harness,
    files,
    release,
    import: async (path: string) =>
      (await harness.uploads.import('key:ann', { kind: 'AUDIO', url: files.url(path) })).id,
    async countJobs() {
      const rows = await harness.db.query("select from pgboss.job where name = 'imports'");
      return rows.length;
    },
    /** Lets the files be decoded. */
    async close() {
      release();
      await Promise.all(decoding);
      harness.uploads.stop();
      await harness.jobs.stop();
      files.close();
      await harness.close();
    },
  };
}

it('waits for a free slot to decode the file, without another request and without delay for other imports', async () => {
  const imports = await openBusyImports();
  try {
    const ids = await Promise.all(
      Array.from({ length: runningImports }, () => imports.import('/a.flac')),
    );
    await vi.waitFor(() => expect(imports.files.requests).toHaveLength(ids.length), longWait);
    const other = await imports.import('/speech.mp3');
    await vi.waitFor(async () => {
      expect(await imports.find(other)).toMatchObject({ state: 'READY' });
    }, longWait);
    // A job for each import, one for each wait after a request, and those of later waits.
    await vi.waitFor(
      async () => expect(await imports.countJobs()).toBeGreaterThan(2 * ids.length + 2),
      longWait,
    );
    expect(imports.files.requestsOf('/a.flac')).toHaveLength(ids.length);
    for (const id of ids) expect(await imports.find(id)).toMatchObject({ state: 'RECEIVING' });
    imports.release();
    for (const id of ids) {
      await vi.waitFor(async () => {
        expect(await imports.find(id)).toMatchObject({ state: 'READY', durationSeconds: 1 });
      }, longWait);
    }
  } finally {
    await imports.close();
  }
});

it('fails with a retryable failure that names the cause when no slot is free in time', async () => {
  const imports = await openBusyImports();
  try {
    const id = await imports.import('/a.flac');
    await vi.waitFor(async () => expect(await imports.countJobs()).toBeGreaterThan(1), longWait);
    imports.clock.now = new Date(imports.clock.now.getTime() + 10_000);
    await vi.waitFor(async () => {
      expect(await imports.find(id)).toMatchObject({
        state: 'FAILED',
        failure: {
          code: 'QUOTA_EXCEEDED',
          message: 'The limit of files that are decoded at the same time is used up.',
          retryable: true,
          retryAfterSeconds: 10,
        },
      });
    }, longWait);
    expect(imports.files.requests).toHaveLength(1);
  } finally {
    await imports.close();
  }
});
