import { join } from 'node:path';
import { parseArgs } from 'node:util';

export type DemoArguments = {
  audio: string;
  /** Null: the newest finished video of the account. */
  video: string | null;
  /** Null: `lipsync-<short>.mp4` in the current folder. */
  out: string | null;
};

export type ParsedArguments =
  | { kind: 'run'; given: DemoArguments }
  | { kind: 'help' }
  | { kind: 'invalid'; problem: string };

export const help = `Makes the person in a video speak, from an audio file to a finished MP4, and shows each step.

  npm run demo                                      the sandbox, with a video and an audio file of this package
  npm run demo -- --audio my.mp3 --video my.mp4     your own files

  --audio FILE   WAV, MP3, M4A, OGG or another kind of sound, at most 60 seconds. Default: a sentence that comes with this package.
  --video FILE   An MP4 with a face. Default: the newest finished video of the account.
  --out FILE     The result; an existing file is replaced. Default: lipsync-….mp4 in the current folder.
  --help         This text.

It starts a server of its own, on a free port unless PORT is set and with a temporary database unless DATA_DIR is set.
With USEAPI_TOKEN set it runs live, which costs credits. DATABASE_URL and the settings of authentication are
ignored.
`;

const speech = join(import.meta.dirname, '../demo-media/speech.mp3');

export function parseArguments(args: readonly string[]): ParsedArguments {
  try {
    const { values } = parseArgs({
      args: [...args],
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
    if (empty !== undefined) return { kind: 'invalid', problem: `--${empty[0]} needs a file name` };
    return { kind: 'run', given: { audio, video, out } };
  } catch (error) {
    return { kind: 'invalid', problem: firstSentence(error) };
  }
}

/** Node's error messages continue with advice, which does not fit on one line. */
function firstSentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split(/\.?\n|\. /)[0] ?? text;
}
