import { Client, errors } from 'undici';
import { parseRetryAfter } from '../../upstream/retry-after.ts';
import type { AddressRules } from './address.ts';
import { createDialer, NoPublicAddressError, type Resolve } from './dial.ts';

export const webhookProblems = [
  'ERROR_STATUS',
  'REDIRECTED',
  'GONE',
  'TIMEOUT',
  'CONNECTION_FAILED',
  'TLS_FAILED',
  'NO_PUBLIC_ADDRESS',
  'SECRET_UNREADABLE',
] as const;

/** Why an attempt failed. Fixed words: what a receiver or the network said may hold anything. */
export type WebhookProblem = (typeof webhookProblems)[number];

export type Answer = {
  status: number | null;
  problem: WebhookProblem | null;
  /** How long the receiver asks to be left alone, in milliseconds. */
  retryAfterMs?: number | undefined;
};

export type Postman = {
  rules: AddressRules;
  /** For everything from the look-up of the name to the answer. */
  timeoutMs: number;
  resolve?: Resolve | undefined;
};

export type Letter = { url: string; headers: Record<string, string>; body: string };

/** Of what a receiver answers nothing is used but the status. This much is read so that a short answer ends in peace. */
const mostAnswerBytes = 1024;

/**
 * One POST over a connection of its own. Redirects are not followed: they would lead past the checks of the address.
 *
 * @param stopping ends it early @returns null where it was ended early
 */
export async function post(
  postman: Postman,
  letter: Letter,
  stopping: AbortSignal,
): Promise<Answer | null> {
  const { rules, timeoutMs, resolve } = postman;
  const url = new URL(letter.url);
  const client = new Client(url.origin, {
    allowH2: false,
    connect: createDialer(rules, timeoutMs, resolve),
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const { statusCode, headers, body } = await client.request({
      method: 'POST',
      path: url.pathname + url.search,
      headers: letter.headers,
      body: letter.body,
      signal: AbortSignal.any([deadline, stopping]),
      reset: true,
    });
    await body.dump({ limit: mostAnswerBytes, signal: deadline }).catch(() => undefined);
    return {
      status: statusCode,
      problem: problemOf(statusCode),
      retryAfterMs: busyStatuses.has(statusCode)
        ? readRetryAfter(headers['retry-after'])
        : undefined,
    };
  } catch (error) {
    return stopping.aborted ? null : { status: null, problem: faultOf(error, deadline) };
  } finally {
    await client.destroy();
  }
}

function problemOf(status: number): WebhookProblem | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return 'REDIRECTED';
  return status === 410 ? 'GONE' : 'ERROR_STATUS';
}

/** With any other status `Retry-After` means something else, or nothing. */
const busyStatuses: ReadonlySet<number> = new Set([429, 503]);

function readRetryAfter(header: string | string[] | undefined): number | undefined {
  const seconds = parseRetryAfter(header);
  return seconds === undefined ? undefined : Math.max(0, seconds * 1_000);
}

const timeouts = [
  errors.ConnectTimeoutError,
  errors.HeadersTimeoutError,
  errors.BodyTimeoutError,
] as const;

/** What OpenSSL and Node call a certificate or a handshake that is not good enough. */
const tlsCodes = /^(ERR_TLS|ERR_SSL|CERT_|EPROTO|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_)/;

function faultOf(error: unknown, deadline: AbortSignal): WebhookProblem {
  if (deadline.aborted || timeouts.some((kind) => error instanceof kind)) return 'TIMEOUT';
  if (error instanceof NoPublicAddressError) return 'NO_PUBLIC_ADDRESS';
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return tlsCodes.test(code) ? 'TLS_FAILED' : 'CONNECTION_FAILED';
}
