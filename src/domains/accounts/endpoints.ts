import { z } from 'zod';
import { type Failure, InvalidInputError, NotFoundError } from '../../errors.ts';
import type { ReadOptions, Upstream } from '../../upstream/client.ts';
import { errorTextOf } from '../../upstream/errors.ts';
import {
  lenientDate,
  lenientId,
  lenientNumber,
  lenientRecord,
  lenientText,
  readItems,
} from '../../upstream/lenient-shapes.ts';
import { rawSegment } from '../../upstream/path.ts';

export type UpstreamAccount = {
  email: string;
  maxJobs: number | null;
  /** The account answers 596 until it is reconnected. */
  pendingError: boolean;
  sessionExpiresAt: Date | null;
};

export type UpstreamFeatures = {
  /** Credits that can be spent: the sum of three upstream fields. Null if all three are missing. */
  credits: number | null;
  /** Whether all three fields are given: only then the sum decides what is sent. */
  isComplete: boolean;
  planName: string | null;
  /** PixVerse's own limit. If it is lower than `maxJobs`, it causes a 429 first. */
  concurrentGenerations: number | null;
};

const accountShape = z.looseObject({
  email: lenientId,
  maxJobs: lenientNumber,
  jwt: lenientRecord.pipe(z.object({ ExpireTimeUTC: lenientDate, ExpireTime: lenientDate })),
});

const account = accountShape.transform((body, context): UpstreamAccount => {
  if (body.email === null) {
    context.addIssue({ code: 'custom', message: 'The e-mail is missing.' });
    return z.NEVER;
  }
  return toAccount(body, body.email);
});

/** For GET by e-mail, where the response may omit the e-mail, as every field: the requested e-mail is used. */
function accountWithEmail(email: string) {
  return accountShape.transform((body) => toAccount(body, email));
}

function toAccount(body: z.output<typeof accountShape>, email: string): UpstreamAccount {
  return {
    email,
    maxJobs: body.maxJobs,
    pendingError: Object.entries(body).some(
      ([key, value]) => /error|pending/i.test(key) && isMeaningful(value),
    ),
    sessionExpiresAt: body.jwt.ExpireTimeUTC ?? body.jwt.ExpireTime,
  };
}

// A map keyed by e-mail is documented. The key is used, because an entry need not contain the e-mail.
const accounts = z.unknown().transform((body, context): unknown[] => {
  if (Array.isArray(body)) {
    return body;
  }
  const map = lenientRecord.parse(body);
  const entries = Object.entries(map).filter(([key]) => key.includes('@'));
  if (
    typeof body !== 'object' ||
    body === null ||
    (entries.length === 0 && isMeaningful(map.error))
  ) {
    context.addIssue({ code: 'custom', message: 'The accounts are missing.' });
    return z.NEVER;
  }
  return entries.map(([email, entry]) => ({ ...lenientRecord.parse(entry), email }));
});

// Every field is documented as optional, so an object without a known field is a valid response. One with an `error` is not.
const features = z
  .object({
    credit_daily: lenientNumber,
    credit_monthly: lenientNumber,
    credit_package: lenientNumber,
    plan_name: lenientText,
    gen_simultaneously: lenientNumber,
    error: z.unknown().optional(),
  })
  .refine(
    ({ error, ...known }) =>
      errorTextOf({ error }) === undefined || Object.values(known).some((value) => value !== null),
    'The response has an error and no known field.',
  );

/** GET /accounts, which makes no call to PixVerse. The upstream's 404 for no configured accounts becomes an empty list. */
export async function listAccounts(
  upstream: Upstream,
  options: ReadOptions = {},
): Promise<UpstreamAccount[]> {
  const path = '/accounts';
  const items = await nullIfNotFound(() => upstream.read({ path, schema: accounts }, options));
  return readItems(items ?? [], account, (dropped) =>
    upstream.log.debug({ path, dropped }, 'upstream accounts without an e-mail were dropped'),
  );
}

/** GET /accounts/{email}. Null for an account that is not configured. */
export async function getAccount(
  upstream: Upstream,
  email: string,
  options: ReadOptions = {},
): Promise<UpstreamAccount | null> {
  return await nullIfNotFound(() =>
    upstream.read({ path: accountPath(email), schema: accountWithEmail(email) }, options),
  );
}

/**
 * POST /accounts/{email}: signs the account in to PixVerse again, which ends its 596. A wrong password is an
 * `InvalidInputError`.
 *
 * @param account the upstream requires `maxJobs`, 1…8
 */
export async function reconnect(
  upstream: Upstream,
  email: string,
  account: { password: string; maxJobs: number },
): Promise<void> {
  await upstream.write({
    method: 'POST',
    path: accountPath(email),
    json: { email, password: account.password, maxJobs: account.maxJobs },
    failureOf: signInFailureOf,
  });
}

/** GET /features/. The upstream requires `email` if it has more than one account. */
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
  const given = parts.filter((part) => part !== null);
  const credits = given.length > 0 ? given.reduce((sum, part) => sum + part, 0) : null;
  return {
    credits,
    isComplete: given.length === parts.length,
    planName: body.plan_name,
    concurrentGenerations: body.gen_simultaneously,
  };
}

/**
 * A 401 for our own token has the text "Unauthorized"; with any other text PixVerse rejected the e-mail and password. The
 * upstream's text is never shown here: it may repeat the password.
 */
function signInFailureOf(status: number, body: unknown): Failure | undefined {
  if (status === 400) {
    const message = 'The video service rejected this input for reconnecting the account.';
    return new InvalidInputError([{ path: ['input'], message, code: 'REJECTED' }]);
  }
  const text = errorTextOf(body);
  if (status !== 401 || text === undefined || /^unauthorized\.?$/i.test(text.trim())) {
    return undefined;
  }
  const message = 'The video service could not sign in with this password.';
  return new InvalidInputError([{ path: ['input', 'password'], message, code: 'REJECTED' }]);
}

function accountPath(email: string): string {
  return `/accounts/${rawSegment(email, 'The account')}`;
}

async function nullIfNotFound<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (thrown) {
    if (thrown instanceof NotFoundError) {
      return null;
    }
    throw thrown;
  }
}

/** False for the empty values of a field of unknown type: false, 0, '', 'false', 'none', {}, [] and the like. */
function isMeaningful(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) {
    return Object.keys(value).length > 0;
  }
  return Boolean(value) && !/^(?:\s*|0|false|none|null)$/i.test(String(value));
}
