import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { probePicture } from '../../src/sandbox/render/mux.ts';
import { library, MEDIA_DIR } from '../../src/sandbox/storage/library.ts';

describe('the library', () => {
  it('lists every source video and its poster', async () => {
    const names = (await readdir(MEDIA_DIR)).filter((name) => /^(source|poster)-/.test(name));
    expect(library.flatMap(({ file, poster }) => [poster, file]).sort()).toEqual(names.sort());
  });

  it('has the real size and length of each file', async () => {
    for (const { file, width, height, durationSeconds } of library) {
      expect(await probePicture(join(MEDIA_DIR, file))).toEqual({ width, height, durationSeconds });
    }
  });
});
