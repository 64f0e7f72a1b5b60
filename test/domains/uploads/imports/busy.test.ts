import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { createSoundConverter } from '../../../../src/audio/sound-converter.ts';
import { openFileServer, sendFile } from '../../../support/file-server.ts';
import { longWait } from '../../../support/lipsyncs.ts';
import { openUploadHarness, put } from '../upload-harness.ts';

const flac = readFileSync(new URL('../sounds/sound.flac', import.meta.url));

it('waits while no file can be decoded, and is fetched when one can', async () => {
  const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
  const { promise: hasStarted, resolve: start } = Promise.withResolvers<void>();
  const real = createSoundConverter();
  const harness = await openUploadHarness({
    decodings: { all: 1 },
    converter: {
      async convert(job, signal) {
        start();
        await isReleased;
        return await real.convert(job, signal);
      },
    },
  });
  const files = await openFileServer({ '/a.flac': sendFile(flac, 'audio/flac') });
  try {
    await harness.jobs.start();
    await harness.uploads.start();
    const { uploadUrl } = await harness.create({ kind: 'AUDIO', contentType: 'audio/flac' });
    const first = put(uploadUrl, flac);
    await hasStarted;
    const url = files.url('/a.flac');
    const { id } = await harness.uploads.import('key:ann', { kind: 'AUDIO', url });
    // More often than a failure of the file's server would be repeated.
    await vi.waitFor(() => expect(files.requests.length).toBeGreaterThan(5), longWait);
    expect(await harness.find(id)).toMatchObject({ state: 'RECEIVING' });
    release();
    expect(await first).toMatchObject({ status: 200 });
    await vi.waitFor(async () => {
      expect(await harness.find(id)).toMatchObject({ state: 'READY', durationSeconds: 1 });
    }, longWait);
  } finally {
    release();
    harness.uploads.stop();
    await harness.jobs.stop();
    files.close();
    await harness.close();
  }
});
