import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../storage/json-files.ts';
import type { JobResult } from '../jobs/job.ts';
import { muxLipsync, type Picture, probePicture } from './mux.ts';
import type { Shelf } from '../storage/file-store.ts';
import { openSound, type Sound, soundOf } from './sound.ts';
import { babble, SPEECH_RATE } from './speech.ts';

/** What a result is made of. Paths are of files that lie on this disk. */
export type Script = {
  picturePath: string;
  soundPath: string | null;
  text: string;
  speakerId: string | undefined;
  /** Longer audio makes the generation fail. */
  maxSeconds: number;
};

/** Writes the finished video into `results` as `file`, where it is not there already. */
export async function makeResult(
  script: Script,
  to: { results: Shelf; file: string },
): Promise<JobResult> {
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
