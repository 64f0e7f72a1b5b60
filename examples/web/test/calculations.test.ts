import { LipsyncServerError } from 'lipsync-graphql-client';
import { describe, expect, test } from 'vitest';
import { limitPart } from '../src/form/part.ts';
import { nameOfUrl } from '../src/form/upload-name.ts';
import { describeRemaining, percentAt } from '../src/lipsync/estimate.ts';
import { fileNameOf } from '../src/lipsync/file-name.ts';
import { explainError } from '../src/text/explain.ts';
import { describeReceived } from '../src/text/size.ts';

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

describe('the name of a downloaded video', () => {
  const createdAt = '2026-11-29T15:30:12.000Z';
  const nameOf = (
    text: string | null,
    reference: string | null = null,
    audio: string | null = null,
  ) => fileNameOf({ text, reference, createdAt }, audio);

  test.each([
    ['Welcome to our shop!', null, 'Welcome to our shop!.mp4'],
    ['Welcome.', 'spring-7', 'spring-7 - Welcome.mp4'],
    [null, 'spring-7', 'spring-7.mp4'],
    ['Grüße aus Köln 👋', null, 'Grüße aus Köln 👋.mp4'],
    ['今日は、店長です', null, '今日は、店長です.mp4'],
    ['مرحبا', null, 'مرحبا.mp4'],
    ['../../etc/passwd', null, 'etc passwd.mp4'],
    ['a\\b/c:d*e?f"g<h>i|j', null, 'a b c d e f g h i j.mp4'],
    ['one\ntwo\u0000three\tfour', null, 'one two three four.mp4'],
    ['gpj.\u202Eexe', null, 'gpj.exe.mp4'],
    ['.hidden', null, 'hidden.mp4'],
    ['end...  ', null, 'end.mp4'],
    ['\ud800broken', null, 'broken.mp4'],
    ['NUL', null, 'NUL_.mp4'],
    [' \u200b ', '//', 'Lip-sync of 2026-11-29 15.30.mp4'],
    [null, null, 'Lip-sync of 2026-11-29 15.30.mp4'],
  ])('of the text %j and the label %j is %j', (text, reference, name) => {
    expect(nameOf(text, reference)).toBe(name);
  });

  test('is that of the audio file if there is no text and no label', () => {
    expect(nameOf(null, null, 'voice memo.m4a')).toBe('voice memo.mp4');
  });

  test.each([
    ['a long text', 'word '.repeat(60)],
    ['a text without spaces', '長'.repeat(200)],
    ['emoji that consist of several characters', '👩‍👩‍👧‍👦'.repeat(40)],
    ['a long label', 'Short.', 'label '.repeat(200)],
  ])('of %s fits into a file system and breaks no character', (_, text, reference = '') => {
    const name = nameOf(text, reference);
    expect(Buffer.byteLength(name)).toBeLessThan(200);
    expect(name).toMatch(/(word|長|👩‍👩‍👧‍👦|Short)\.mp4$/u);
  });
});

describe('the part of a sound', () => {
  test.each([
    [[0, 60], 185, [0, 60]],
    [[170, 60], 185.26, [170, 15.2]],
    [[500, 60], 185, [184.9, 0.1]],
    [[-3, 0], 185, [0, 0.1]],
    [[12.34, 99], null, [12.3, 60]],
  ] as const)('from and for %j seconds of %s is %j', ([start, length], seconds, [from, used]) => {
    expect(limitPart({ startSeconds: start, durationSeconds: length }, seconds)).toEqual({
      startSeconds: from,
      durationSeconds: used,
    });
  });
});

test.each([
  [0, null, '0 byte'],
  [812_345, null, '812 kB'],
  [1_240_000, 4_500_000, '1.2 MB of 4.5 MB'],
  [5_000_000_000, null, '5 GB'],
])('%d of %s bytes are described as "%s"', (bytes, total, text) => {
  expect(describeReceived(bytes, total)).toBe(text);
});

test.each([
  ['https://files.example/a%20b/voice%20memo.m4a?token=1', 'voice memo.m4a'],
  ['https://files.example/', 'files.example'],
  ['https://files.example/%ff', '%ff'],
])('the name of %s is "%s"', (url, name) => {
  expect(nameOfUrl(url)).toBe(name);
});

describe('the notice for an error of the server', () => {
  const errorOf = (code: string, requestId: string | null) =>
    new LipsyncServerError('masked', { code, requestId, minDelayMs: 0 });

  test.each([
    ['INTERNAL_SERVER_ERROR', 'The server made a mistake'],
    ['TEMPORARILY_UNAVAILABLE', 'The server is not available'],
  ])('%s: "%s", with the id of the request', (code, title) => {
    expect(explainError(errorOf(code, 'r-1'))).toMatchObject({
      title,
      step: 'TRY_AGAIN',
      details: ['If it happens again, report the request r-1.'],
    });
  });

  test('without an id there is nothing to report', () => {
    expect(explainError(errorOf('INTERNAL_SERVER_ERROR', null)).details).toEqual([]);
  });
});
