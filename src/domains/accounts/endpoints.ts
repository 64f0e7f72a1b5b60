import { z } from 'zod';
import { type Failure, InvalidInputError, NotFoundError } from '../../errors.ts';
import type { ReadOptions, Upstream } from '../../upstream/client.ts';
import { errorTextOf } from '../../upstream/errors.ts';
import { rawSegment } from '../../upstream/path.ts';
import { looseDate, looseNumber, looseRecord, looseText, readItems } from '../../upstream/wire.ts';

export type UpstreamAccount = {
  email: string;
  maxJobs: number | null;
  /** The account answers 596 until it is reconnected. */
  pendingError: boolean;
  sessionExpiresAt: Date | null;
};

export type UpstreamFeatures = {
  /** What can be spent; null where none of its parts was told. There is no such field upstream: a sum of three. */
  credits: number | null;
  /** Whether nothing can be spent for sure: each part of the sum was told. */
  isSpent: boolean;
  planName: string | null;
  /** PixVerse's own limit, which answers 429 before `maxJobs` does where it is lower. */
  concurrentGenerations: number | null;
};

const wireAccount = z.looseObject({
  email: looseText,
  maxJobs: looseNumber,
  jwt: looseRecord.pipe(z.object({ ExpireTimeUTC: looseDate, ExpireTime: looseNumber })),
});

const account = wireAccount.transform((body, context): UpstreamAccount => {
  if (body.email === null) {
    context.addIssue({ code: 'custom', message: 'There is no e-mail.' });
    return z.NEVER;
  }
  return {
    email: body.email,
    maxJobs: body.maxJobs,
    pendingError: Object.entries(body).some(
      ([key, value]) => /error|pending/i.test(key) && isSaid(value),
    ),
    sessionExpiresAt: body.jwt.ExpireTimeUTC ?? fromUnixTime(body.jwt.ExpireTime),
  };
});

// A map keyed by e-mail is documented; the key also serves where an entry doesn't repeat it.
const accounts = z.unknown().transform((body, context): unknown[] => {
  if (Array.isArray(body)) {
    return body;
  }
  const map = looseRecord.parse(body);
  const entries = Object.entries(map).filter(([key]) => key.includes('@'));
  if (typeof body !== 'object' || body === null || (entries.length === 0 && isSaid(map.error))) {
    context.addIssue({ code: 'custom', message: 'There are no accounts.' });
    return z.NEVER;
  }
  return entries.map(([email, entry]) => ({ ...looseRecord.parse(entry), email }));
});

const features = z
  .object({
    credit_daily: looseNumber,
    credit_monthly: looseNumber,
    credit_package: looseNumber,
    plan_name: looseText,
    gen_simultaneously: looseNumber,
  })
  .refine(
    (body) => Object.values(body).some((value) => value !== null),
    'There is no known field.',
  );

/** GET /accounts, without a call to PixVerse. None configured is a 404 there and an empty list here. */
export async function listAccounts(
  upstream: Upstream,
  options: ReadOptions = {},
): Promise<UpstreamAccount[]> {
  const path = '/accounts';
  const items = await orNull(() => upstream.read({ path, schema: accounts }, options));
  return readItems(items ?? [], account, (dropped) =>
    upstream.log.debug({ path, dropped }, 'upstream accounts without an e-mail'),
  );
}

/** GET /accounts/{email}. Null where it isn't configured. */
export async function getAccount(
  upstream: Upstream,
  email: string,
  options: ReadOptions = {},
): Promise<UpstreamAccount | null> {
  return await orNull(() => upstream.read({ path: accountPath(email), schema: account }, options));
}

/**
 * POST /accounts/{email}: signs in to PixVerse again, which clears a 596. A wrong password is an `InvalidInputError`.
 *
 * @param account `maxJobs` 1…8 is required upstream
 */
export async function reconnect(
  upstream: Upstream,
  email: string,
  account: { password: string; maxJobs: number },
): Promise<void> {
  await upstream.change({
    method: 'POST',
    path: accountPath(email),
    json: { email, password: account.password, maxJobs: account.maxJobs },
    failureOf: signInFailureOf,
  });
}

/** GET /features/. `email` is required where there is more than one account. */
export async function getFeatures(
  upstream: Upstream,
  email?: string,
  options: ReadOptions = {},
): Promise<UpstreamFeatures> {
  const body = await upstream.read(
    { path: '/features/', query: { email }, schema: features },
    options,
  );
  const parts = [body.credit_daily, body.credit_monthly, body.credit_package];
  const told = parts.filter((part) => part !== null);
  const credits = told.length > 0 ? told.reduce((sum, part) => sum + part, 0) : null;
  return {
    credits,
    isSpent: told.length === parts.length && credits !== null && credits <= 0,
    planName: body.plan_name,
    concurrentGenerations: body.gen_simultaneously,
  };
}

/**
 * The 401 of our own token says "Unauthorized"; any other text is PixVerse refusing the e-mail and password. The
 * upstream's words are never shown here: they may repeat the password.
 */
function signInFailureOf(status: number, body: unknown): Failure | undefined {
  if (status === 400) {
    const message = 'The video service refused to reconnect the account with this input.';
    return new InvalidInputError([{ path: ['input'], message }]);
  }
  const text = errorTextOf(body);
  if (status !== 401 || text === undefined || /^unauthorized\.?$/i.test(text.trim())) {
    return undefined;
  }
  const message = 'The video service could not sign in with this password.';
  return new InvalidInputError([{ path: ['input', 'password'], message }]);
}

function accountPath(email: string): string {
  return `/accounts/${rawSegment(email, 'The account')}`;
}

async function orNull<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (thrown) {
    if (thrown instanceof NotFoundError) {
      return null;
    }
    throw thrown;
  }
}

/** True for what a field of unknown type holds when it says something: not for false, 0, '', 'false', {} or []. */
function isSaid(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) {
    return Object.keys(value).length > 0;
  }
  return Boolean(value) && !/^(?:\s*|0|false|none|null)$/i.test(String(value));
}

function fromUnixTime(time: number | null): Date | null {
  if (time === null || time <= 0) {
    return null;
  }
  // Seconds until the year 5138; larger numbers are milliseconds.
  const date = new Date(time < 1e11 ? time * 1000 : time);
  return Number.isNaN(date.getTime()) ? null : date;
}
