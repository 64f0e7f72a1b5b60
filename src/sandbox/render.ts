import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from './disk.ts';
import type { JobResult } from './job.ts';
import { muxLipsync, type Picture, probePicture } from './mux.ts';
import type { Shelf } from './shelf.ts';
import { openSound, type Sound, soundOf } from './sound.ts';
import { babble, SPEECH_RATE } from './speech.ts';

/** What a result is made of. Paths are of files that lie on this disk. */
type Script = {
  picturePath: string;
  soundPath: string | null;
  text: string;
  speakerId: string | undefined;
  /** Longer audio makes the generation fail. */
  maxSeconds: number;
};

export type Render = (script: Script) => Promise<JobResult>;

/**
 * Makes finished videos, one at a time, since each is held in memory while it is muxed. The same
 * picture and sound make one file, whoever asks: a load test of ten thousand texts costs one mux.
 */
export function createRender(results: Shelf): Render {
  let line: Promise<unknown> = Promise.resolve();
  const known = new Map<string, JobResult>();
  async function inTurn(script: Script, file: string): Promise<JobResult> {
    const made = results.has(file) && known.get(file);
    if (made) return made;
    const result = await render(script, { results, file });
    known.set(file, result);
    return result;
  }
  return (script) => {
    const file = `${fingerprint(script)}.mp4`;
    const done = line.then(() => inTurn(script, file));
    line = done.catch(() => undefined);
    return done;
  };
}

async function render(script: Script, to: { results: Shelf; file: string }): Promise<JobResult> {
  const { results, file } = to;
  const sound = script.soundPath
    ? await openSound(script.soundPath)
    : soundOf(babble(script.text, script.speakerId), SPEECH_RATE);
  try {
    if (sound.durationSeconds > script.maxSeconds) {
      throw new Error(`The audio is longer than ${script.maxSeconds} seconds.`);
    }
    const picture = results.has(file)
      ? await probePicture(join(results.folder, file))
      : await write(script, sound, to);
    const durationSeconds = sound.durationSeconds;
    return { file, width: picture.width, height: picture.height, durationSeconds };
  } finally {
    sound.close();
  }
}

/** Muxed under another name and renamed when it is whole and on the disk. */
async function write(
  script: Script,
  sound: Sound,
  to: { results: Shelf; file: string },
): Promise<Picture> {
  const path = join(to.results.folder, to.file);
  try {
    const picture = await muxLipsync(script.picturePath, sound, `${path}.part`);
    const file = await open(`${path}.part`, 'r+');
    await file.sync().finally(() => file.close());
    await rename(`${path}.part`, path);
    await syncFolder(dirname(path));
    await to.results.placed(to.file);
    return picture;
  } catch (error) {
    await rm(`${path}.part`, { force: true });
    throw error;
  }
}

function fingerprint({ picturePath, soundPath, text, speakerId, maxSeconds }: Script): string {
  const made = [picturePath, soundPath ?? ['text', text, speakerId ?? ''], maxSeconds];
  return createHash('sha256').update(JSON.stringify(made)).digest('hex').slice(0, 32);
}
