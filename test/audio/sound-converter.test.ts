import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSoundConverter } from '../../src/audio/sound-converter.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lipsync-converter-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const never = new AbortController().signal;

function createJob() {
  const window = { startSeconds: 0, maxSeconds: 60, isCut: false };
  const paths = { inputPath: join(folder, 'input'), outputPath: join(folder, 'output') };
  return { ...paths, container: 'OTHER' as const, window };
}

/** A converter whose worker does what a hostile file could make a decoder do. */
async function createHostile(source: string, options: { timeoutMs?: number } = {}) {
  const path = join(folder, `worker-${Buffer.from(source).toString('hex').slice(0, 40)}.mjs`);
  await writeFile(path, source);
  return createSoundConverter({ ...options, workerUrl: pathToFileURL(path) });
}

describe('keeps out', () => {
  it('a file that makes the decoder hang: the thread is ended after its time', async () => {
    const converter = await createHostile('for (;;);', { timeoutMs: 50 });
    expect(await converter.convert(createJob(), never)).toEqual({ kind: 'timeout' });
  });

  it('a file whose client leaves while it is decoded', async () => {
    const converter = await createHostile('for (;;) ;');
    const controller = new AbortController();
    const result = converter.convert(createJob(), controller.signal);
    controller.abort();
    expect(await result).toEqual({ kind: 'aborted' });
  });

  it.each([
    ['throws', 'throw new Error("no");'],
    ['ends without a result', 'process.exit(0);'],
    [
      'uses more memory than it may',
      'const all = []; for (;;) all.push(new Array(1e5).fill(1.5));',
    ],
  ])('a file whose decoder %s', async (_, source) => {
    const converter = await createHostile(source);
    expect(await converter.convert(createJob(), never)).toEqual({ kind: 'broken' });
  });

  it('a missing file', async () => {
    const converter = createSoundConverter();
    expect(await converter.convert(createJob(), never)).toEqual({ kind: 'broken' });
  });
});
