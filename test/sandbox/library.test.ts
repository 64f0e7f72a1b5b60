import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { probePicture } from '../../src/sandbox/render/mux.ts';
import { library, MEDIA_DIR } from '../../src/sandbox/storage/library.ts';

describe('the library', () => {
  it('is every source video there is, with a poster each', async () => {
    const names = (await readdir(MEDIA_DIR)).filter((name) => /^(source|poster)-/.test(name));
    expect(library.flatMap(({ file, poster }) => [poster, file]).sort()).toEqual(names.sort());
  });

  it('says the size and length that the files have', async () => {
    for (const { file, width, height, durationSeconds } of library) {
      expect(await probePicture(join(MEDIA_DIR, file))).toEqual({ width, height, durationSeconds });
    }
  });
});
