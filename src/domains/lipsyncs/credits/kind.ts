import { secondsOfSpeech } from '../progress/estimate.ts';

/** What decides the cost of a job, as far as this server knows. `mediaSeconds` null: not known, or a text. */
export type PricedJob = { text: string | null; mediaSeconds: number | null; offPeak: boolean };

/** Null if the length of the audio is not known. */
export function secondsOf({ text, mediaSeconds }: PricedJob): number | null {
  return text === null ? mediaSeconds : (mediaSeconds ?? secondsOfSpeech(text));
}

/** Jobs of the same kind cost the same: the same kind of speech, the same tariff and a similar length. As SQL: `job_kind`. */
export function priceKindOf(job: PricedJob): string {
  const speech = job.text === null ? 'audio' : 'text';
  return `${speech}${job.offPeak ? ' off-peak' : ''} ${lengthOf(secondsOf(job))}`;
}

function lengthOf(seconds: number | null): string {
  if (seconds === null) return 'unknown';
  if (seconds <= 10) return '10';
  return seconds <= 30 ? '30' : 'long';
}
