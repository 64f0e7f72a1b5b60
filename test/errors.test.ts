import { describe, expect, it } from 'vitest';
import {
  InvalidInputError,
  RateLimitedError,
  restoreFailure,
  storeFailure,
  UpstreamUnavailableError,
} from '../src/errors.ts';

const stored = { message: 'A message.', retryable: false, retryAfterSeconds: null };

describe('a stored failure', () => {
  it.each([
    new InvalidInputError([{ path: ['input'], message: 'It is empty.', code: 'REQUIRED' }]),
    new RateLimitedError('ACCOUNT_BUSY', 10),
    new UpstreamUnavailableError('TIMEOUT'),
  ])('is restored as it was: $code', (failure) => {
    const row = JSON.parse(JSON.stringify(storeFailure(failure)));
    const restored = restoreFailure(row);
    expect(restored).toBeInstanceOf(failure.constructor);
    expect(restored).toMatchObject({ ...failure });
  });

  // Rows from before these names: a lip-sync that failed then is still readable.
  it('of a busy account has its limit, where the row calls it a reason', () => {
    const row = { ...stored, code: 'RATE_LIMITED', reason: 'PROVIDER_LIMIT' } as const;
    expect(restoreFailure(row)).toMatchObject({ limit: 'PROVIDER_LIMIT' });
  });

  it('of an invalid input has a code for each issue, where the row has none', () => {
    const issues = [{ path: ['input'], message: 'It is empty.' }];
    const row = { ...stored, code: 'INVALID_INPUT', issues } as const;
    expect(restoreFailure(row)).toMatchObject({ issues: [{ ...issues[0], code: 'INVALID' }] });
  });
});
