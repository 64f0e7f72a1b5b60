import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type InvalidInputError, RateLimitedError } from '../../src/errors.ts';
import { failureOfStatus } from '../../src/upstream/errors.ts';
import { secrets } from './servers.ts';

describe('an upstream status as a failure', () => {
  test.each([
    [400, 'INVALID_INPUT', false],
    [401, 'UPSTREAM_UNAUTHORIZED', false],
    [402, 'SUBSCRIPTION_EXPIRED', false],
    [404, 'NOT_FOUND', false],
    [412, 'INSUFFICIENT_CREDITS', false],
    [422, 'CONTENT_MODERATED', false],
    [429, 'RATE_LIMITED', true],
    [596, 'ACCOUNT_PENDING', false],
  ])('%i is %s', (status, code, retryable) => {
    for (const body of [undefined, null, 'text', [], {}, { error: 'x' }, { error: { a: 1 } }]) {
      expect(failureOfStatus(status, body)).toMatchObject({ code, retryable });
    }
  });

  test.each([500, 501, 502, 503, 504, 520, 595, 597, 599])('%i is SERVER_ERROR', (status) => {
    expect(failureOfStatus(status, {})).toMatchObject({ reason: 'SERVER_ERROR', retryable: true });
  });

  test.each([101, 300, 302, 304, 403, 405, 409, 410, 415, 418, 600, 999])(
    '%i is UNKNOWN_STATUS',
    (status) => {
      expect(failureOfStatus(status, {})).toMatchObject({ reason: 'UNKNOWN_STATUS' });
    },
  );

  test.each([
    [`Account ${secrets.email} is busy executing 3 tasks.`, 'ACCOUNT_BUSY'],
    ['All configured accounts are running at maximum capacity.', 'ALL_ACCOUNTS_BUSY'],
    ['Reached the limit for concurrent generations.', 'PROVIDER_LIMIT'],
    ['Something else', 'ALL_ACCOUNTS_BUSY'],
  ])('429 "%s" is %s', (error, limit) => {
    expect(failureOfStatus(429, { error })).toMatchObject({ limit });
    expect(JSON.stringify(failureOfStatus(429, { error }))).not.toContain('@');
  });
});

describe('retryAfterSeconds after a 429', () => {
  const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toUTCString();
  test.each([
    ['seconds', { header: '12' }, [12, 12]],
    ['a fraction', { header: '12.2' }, [13, 13]],
    ['too little', { header: '1' }, [10, 10]],
    ['too much', { header: '3600' }, [30, 30]],
    ['a date', { header: inSeconds(20) }, [10, 20]],
    ['a date that has passed', { header: inSeconds(-100) }, [10, 10]],
    ['the body', { body: 17 }, [17, 17]],
    ['the body as text', { body: '17' }, [17, 17]],
    ['the header before the body', { header: '14', body: 17 }, [14, 14]],
    ['the body after a broken header', { header: 'soon', body: 17 }, [17, 17]],
    ['nothing', {}, [10, 30]],
    ['nonsense', { header: '', body: {} }, [10, 30]],
  ] as [string, { header?: string; body?: unknown }, [number, number]][])(
    'from %s',
    (_name, { header, body }, [least, most]) => {
      const failure = failureOfStatus(429, { retryAfter: body }, header);
      expect(failure).toBeInstanceOf(RateLimitedError);
      expect(failure.retryAfterSeconds).toBeGreaterThanOrEqual(least);
      expect(failure.retryAfterSeconds).toBeLessThanOrEqual(most);
    },
  );

  test('is a whole number from 10 to 30 for any header and body', () => {
    fc.assert(
      fc.property(fc.option(fc.string(), { nil: undefined }), fc.anything(), (header, value) => {
        const seconds = failureOfStatus(429, { retryAfter: value }, header).retryAfterSeconds ?? 0;
        return Number.isInteger(seconds) && seconds >= 10 && seconds <= 30;
      }),
    );
  });
});

describe("the upstream's message in an InvalidInputError", () => {
  const fixed = 'The video service rejected this input.';
  const issuesOf = (error: unknown) =>
    (failureOfStatus(400, { error }) as InvalidInputError).issues;

  test.each([
    'Parameter prompt is too long (maximum 200).',
    'Missing required parameter: audio_path',
    'Größe ungültig',
  ])('is shown: %s', (text) => {
    expect(issuesOf(text)).toEqual([{ path: ['input'], message: text, code: 'REJECTED' }]);
  });

  test.each([
    ['an e-mail', `Account ${secrets.email} is unknown`],
    ['an encoded e-mail', 'Account ann%40example.org is unknown'],
    ['an address', `See ${secrets.url}`],
    ['a file path', `No file ${secrets.path}`],
    ['a Windows path', 'No file C:\\temp\\a.mp3'],
    ['a token', `Token ${secrets.token}`],
    ['the host of the service', 'See api.useapi.net for help'],
    ['an id', 'USER:1-x is unknown'],
    ['a long word', `Key ${'k'.repeat(25)}`],
    ['a long text', 'word '.repeat(60)],
    ['a line break', 'one\ntwo'],
    ['a control character', 'one\u0007two'],
    ['reversed text', 'one\u202Etwo'],
    ['markup', 'Bad <img src=x>'],
    ['nothing', ''],
    ['blanks', '  '],
    ['an object', { message: 'x' }],
    ['a number', 7],
  ])('is replaced if it contains %s', (_name, error) => {
    expect(issuesOf(error)).toEqual([{ path: ['input'], message: fixed, code: 'REJECTED' }]);
  });

  test('never contains a planted secret', () => {
    const planted = fc.constantFrom(...Object.values(secrets));
    fc.assert(
      fc.property(fc.string(), planted, fc.string(), (before, secret, after) => {
        expect(
          JSON.stringify(failureOfStatus(400, { error: before + secret + after })),
        ).not.toContain(secret);
      }),
    );
  });
});
