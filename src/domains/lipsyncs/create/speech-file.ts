import type { InputIssue } from '../../../errors.ts';

/** The upstream accepts audio of at most 60 seconds. */
const maxAudioSeconds = 60;

/** What is wrong with a file of speech; null if it can be used. */
export function checkSpeechFile(
  { durationSeconds }: { durationSeconds: number | null },
  path: string[],
): InputIssue | null {
  if (durationSeconds === null || durationSeconds <= maxAudioSeconds) return null;
  const message = `The audio is longer than ${maxAudioSeconds} seconds.`;
  return { path, message, code: 'TOO_LONG' };
}
