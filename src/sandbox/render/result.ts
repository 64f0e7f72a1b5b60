import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobResult } from '../jobs/job.ts';
import type { FileStore } from '../storage/file-store.ts';
import { publishFile } from '../storage/json-files.ts';
import { muxLipsync, type Picture, probePicture } from './mux.ts';
import { openSound, type Sound, soundFromSamples } from './sound.ts';
import { makePlaceholderSpeech, SPEECH_RATE } from './speech.ts';

/** What a finished video is made of. The paths are local files. */
export type RenderInput = {
  picturePath: string;
  soundPath: string | null;
  text: string;
  speakerId: string | undefined;
  /** Longer audio makes the generation fail. */
  maxSeconds: number;
};

/** Writes the finished video into `results` as `file`, unless it is there already. */
export async function makeResult(
  input: RenderInput,
  to: { results: FileStore; file: string },
): Promise<JobResult> {
  const { results, file } = to;
  const sound = input.soundPath
    ? await openSound(input.soundPath)
    : soundFromSamples(makePlaceholderSpeech(input.text, input.speakerId), SPEECH_RATE);
  try {
    if (sound.durationSeconds > input.maxSeconds) {
      throw new Error(`The audio is longer than ${input.maxSeconds} seconds.`);
    }
    const picture = results.has(file)
      ? await probePicture(join(results.folder, file))
      : await writeVideo(input, sound, to);
    const durationSeconds = sound.durationSeconds;
    return { file, width: picture.width, height: picture.height, durationSeconds };
  } finally {
    sound.close();
  }
}

/** Muxes into a `.part` file, which gets its name only when it is complete and durable. */
async function writeVideo(
  input: RenderInput,
  sound: Sound,
  to: { results: FileStore; file: string },
): Promise<Picture> {
  const path = join(to.results.folder, to.file);
  try {
    const picture = await muxLipsync(input.picturePath, sound, `${path}.part`);
    await publishFile(`${path}.part`, path);
    await to.results.add(to.file);
    return picture;
  } catch (error) {
    await rm(`${path}.part`, { force: true });
    throw error;
  }
}
