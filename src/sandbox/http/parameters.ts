import { ApiError } from '../api-error.ts';
import type { Account } from '../storage/accounts.ts';
import type { SandboxContext } from './context.ts';

/** The last segment of the path, undecoded. useapi.net refuses a percent-encoded id with 400, so the sandbox does too. */
export function readRawId(c: SandboxContext): string {
  const id = lastSegment(c);
  if (id.includes('%')) throw new ApiError(400, 'The id must not be percent-encoded.');
  return id;
}

/** The e-mail in the path, raw or percent-encoded. */
export function readPathEmail(c: SandboxContext): string {
  try {
    return decodeURIComponent(lastSegment(c));
  } catch {
    throw new ApiError(400, 'The email in the path is malformed.');
  }
}

/** The account of the query's `email`, which may be left out while only one account is configured. */
export function readAccount(c: SandboxContext): Account {
  const email = c.req.query('email');
  const { accounts } = c.env.state;
  if (!email) {
    const [only, ...others] = accounts.list();
    if (only && others.length === 0) return only;
    throw new ApiError(
      400,
      'Parameter email is required when more than one account is configured.',
    );
  }
  const account = accounts.find(email);
  if (!account) throw new ApiError(404, `Account ${email} is not configured.`);
  return account;
}

/** A whole number of the query. */
export function readCount(c: SandboxContext, name: string): number | undefined {
  const text = c.req.query(name);
  if (!text) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new ApiError(400, `Parameter ${name} must be a whole number.`);
  return Number(text);
}

function lastSegment(c: SandboxContext): string {
  return c.req.path.split('/').at(-1) ?? '';
}
