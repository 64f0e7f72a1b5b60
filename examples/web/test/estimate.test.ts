import { describe, expect, test } from 'vitest';
import { describeRemaining, percentAt } from '../src/lipsync/estimate.ts';
import { encodeWav } from '../src/media/wav.ts';

describe('the progress bar between two events', () => {
  const estimate = { percent: 10, receivedAtMs: 1_000, endsAtMs: 11_000 };

  test.each([
    [0, 10],
    [1_000, 10],
    [6_000, 47.5],
    [11_000, 85],
  ])('at %i ms it shows %d percent', (nowMs, percent) => {
    expect(percentAt(estimate, nowMs)).toBe(percent);
  });

  test('after the expected end it rises slowly, and never reaches 100', () => {
    const steps = Array.from({ length: 400 }, (_, at) => percentAt(estimate, at * 1_000));
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    expect(steps.at(-1)).toBeLessThanOrEqual(95);
    expect(steps.at(30)).toBeGreaterThan(85);
  });

  test('it does not move without an expected end, from 95 percent on, or at the start', () => {
    expect(percentAt({ ...estimate, endsAtMs: null }, 9_000)).toBe(10);
    expect(percentAt({ ...estimate, percent: 95 }, 99_000)).toBe(95);
    expect(percentAt({ ...estimate, endsAtMs: 0 }, 1_000)).toBe(10);
  });

  test.each([
    [-5_000, 'almost done'],
    [4_000, 'a few seconds left'],
    [33_000, 'about 35 seconds left'],
    [58_000, 'about a minute left'],
    [95_000, 'about 2 minutes left'],
  ])('%i ms are described as "%s"', (remainingMs, text) => {
    expect(describeRemaining(remainingMs, 0)).toBe(text);
  });
});

test('encodeWav writes a 16-bit mono WAV and clips loud samples', async () => {
  const wav = Buffer.from(await encodeWav(new Float32Array([0, 0.5, -2, 2])).arrayBuffer());
  expect(wav.toString('latin1', 0, 16)).toMatch(/^RIFF....WAVEfmt $/s);
  expect(wav.readUInt32LE(4)).toBe(wav.length - 8);
  expect(wav.readUInt16LE(22)).toBe(1);
  expect(wav.readUInt32LE(40)).toBe(8);
  const samples = [44, 46, 48, 50].map((at) => wav.readInt16LE(at));
  expect(samples).toEqual([0, 16_383, -32_767, 32_767]);
});
