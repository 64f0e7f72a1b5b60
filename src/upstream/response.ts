import { InvalidInputError, UpstreamUnavailableError } from '../errors.ts';
import { errorCodeOf } from '../log/error-code.ts';
import { failureOfStatus } from './errors.ts';
import type { HttpResponse, NoResponse } from './exchange.ts';

export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

/**
 * The parsed JSON, or undefined. The content type is ignored: proxies label JSON as text, and answer in HTML; a deletion
 * has no body.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws {UpstreamUnavailableError} without a response; retryable only where repeating the request is safe */
export function responseOrThrow(
  outcome: HttpResponse | NoResponse,
  { isRepeatable }: { isRepeatable: boolean },
): HttpResponse {
  if (outcome.kind === 'no-response') {
    throw new UpstreamUnavailableError(outcome.reason, isRepeatable || !outcome.isSent);
  }
  return outcome;
}

/** The JSON of a 2xx response. @throws the failure that any other response means */
export function parseSuccess(response: HttpResponse): unknown {
  const body = parseJson(response.text);
  if (!isSuccess(response.status)) {
    throw failureOfStatus(response.status, body, response.retryAfter);
  }
  if (body === undefined) {
    throw new UpstreamUnavailableError('INVALID_ANSWER');
  }
  return body;
}

/** Reports an upload that failed because of its own source as the source's error, not as the upstream's. */
export function throwIfSourceFailed(
  sourceFailure: { error: unknown } | undefined,
  { cause }: NoResponse,
): void {
  if (sourceFailure) {
    throw sourceFailure.error;
  }
  if (errorCodeOf(cause) === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH') {
    const message = 'The size of the file differs from the announced size.';
    throw new InvalidInputError([{ path: ['input', 'size'], message, code: 'WRONG_SIZE' }]);
  }
}
