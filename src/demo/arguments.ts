import { join } from 'node:path';
import { parseArgs } from 'node:util';

export type DemoArguments = {
  audio: string;
  /** Null: the newest finished video of the account is taken. */
  video: string | null;
  /** Null: `lipsync-<short>.mp4` in the current folder. */
  out: string | null;
};

export type Reading =
  | { kind: 'run'; given: DemoArguments }
  | { kind: 'help' }
  | { kind: 'wrong'; problem: string };

export const help = `Makes the person in a video speak, from an audio file to a finished MP4, and shows each step.

  npm run demo                                      the sandbox, with a video and an audio file of our own
  npm run demo -- --audio my.mp3 --video my.mp4     files of yours

  --audio FILE   WAV or MP3, at most 60 seconds. Default: a sentence that comes with this package.
  --video FILE   An MP4 with a face. Default: the newest finished video of the account.
  --out FILE     Where the result goes; a file there is replaced. Default: lipsync-….mp4 in the current folder.
  --help         This text.

It starts a server of its own, on a free port unless PORT is set and with a temporary database unless DATA_DIR is set.
With USEAPI_TOKEN set it runs live, which costs credits. DATABASE_URL and the settings of who may use the server do
not count here.
`;

const speech = join(import.meta.dirname, '../demo-media/speech.mp3');

export function readArguments(words: readonly string[]): Reading {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        audio: { type: 'string' },
        video: { type: 'string' },
        out: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) return { kind: 'help' };
    const { audio = speech, video = null, out = null } = values;
    const empty = Object.entries({ audio, video, out }).find(([, value]) => value === '');
    if (empty !== undefined) return { kind: 'wrong', problem: `--${empty[0]} needs a file name` };
    return { kind: 'run', given: { audio, video, out } };
  } catch (error) {
    return { kind: 'wrong', problem: firstSentence(error) };
  }
}

/** Node adds advice on further lines and sentences, which is more than one clear line. */
function firstSentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split(/\.?\n|\. /)[0] ?? text;
}
