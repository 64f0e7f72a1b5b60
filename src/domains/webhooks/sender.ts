import { Client, errors } from 'undici';
import { errorCodeOf } from '../../log/error-code.ts';
import { NoPublicAddressError } from '../../outbound/connector.ts';
import type { Outbound } from '../../outbound/outbound.ts';
import { parseRetryAfterSeconds } from '../../upstream/retry-after.ts';

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

/** Why an attempt failed. A fixed code and no free text: the receiver's response and network errors are untrusted. */
export type WebhookProblem = (typeof webhookProblems)[number];

export type WebhookRequest = { url: string; headers: Record<string, string>; body: string };

export type AttemptOutcome = {
  /** The HTTP status of the response; null without a response. */
  status: number | null;
  problem: WebhookProblem | null;
  /** The receiver's `Retry-After` after 429 or 503; negative for a date in the past. */
  retryAfterSeconds?: number | undefined;
};

export type WebhookSender = {
  /** The time limit of one attempt, from DNS lookup to response. */
  readonly timeoutMs: number;
  /**
   * Sends one POST over a connection of its own. It follows no redirect: the new URL would bypass the address check.
   *
   * @param stopping aborts the attempt @returns null if the attempt was aborted
   */
  send(request: WebhookRequest, stopping: AbortSignal): Promise<AttemptOutcome | null>;
};

export type WebhookSenderOptions = {
  outbound: Outbound;
  timeoutMs: number;
};

/** Only the status of a response is used. Reading this much of the body lets a short response end without a reset. */
const maxResponseBytes = 1024;

export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  return {
    timeoutMs: options.timeoutMs,
    send: (request, stopping) => send(options, request, stopping),
  };
}

async function send(
  { outbound, timeoutMs }: WebhookSenderOptions,
  request: WebhookRequest,
  stopping: AbortSignal,
): Promise<AttemptOutcome | null> {
  const url = new URL(request.url);
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([deadline, stopping]);
  const client = new Client(url.origin, {
    allowH2: false,
    connect: outbound.connectorFor({ timeoutMs, signal }),
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  try {
    const { statusCode, headers, body } = await client.request({
      method: 'POST',
      path: url.pathname + url.search,
      headers: request.headers,
      body: request.body,
      signal,
      reset: true,
    });
    await body.dump({ limit: maxResponseBytes, signal: deadline }).catch(() => undefined);
    return {
      status: statusCode,
      problem: problemOfStatus(statusCode),
      retryAfterSeconds: retryAfterStatuses.has(statusCode)
        ? parseRetryAfterSeconds(headers['retry-after'])
        : undefined,
    };
  } catch (error) {
    return stopping.aborted ? null : { status: null, problem: problemOfError(error, deadline) };
  } finally {
    await client.destroy();
  }
}

function problemOfStatus(status: number): WebhookProblem | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return 'REDIRECTED';
  return status === 410 ? 'GONE' : 'ERROR_STATUS';
}

/** With any other status `Retry-After` has another meaning or none. */
const retryAfterStatuses: ReadonlySet<number> = new Set([429, 503]);

const timeoutErrors = [
  errors.ConnectTimeoutError,
  errors.HeadersTimeoutError,
  errors.BodyTimeoutError,
] as const;

/** Error codes of OpenSSL and Node for an invalid certificate or a failed handshake. */
const tlsCodes = /^(ERR_TLS|ERR_SSL|CERT_|EPROTO|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_)/;

function problemOfError(error: unknown, deadline: AbortSignal): WebhookProblem {
  if (deadline.aborted || timeoutErrors.some((kind) => error instanceof kind)) return 'TIMEOUT';
  if (error instanceof NoPublicAddressError) return 'NO_PUBLIC_ADDRESS';
  return tlsCodes.test(errorCodeOf(error) ?? '') ? 'TLS_FAILED' : 'CONNECTION_FAILED';
}
