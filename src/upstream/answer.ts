import { InvalidInputError, UpstreamUnavailableError } from '../errors.ts';
import { failureOfStatus } from './errors.ts';
import { type Answer, codeOf, type Fault } from './exchange.ts';

export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

/** The parsed JSON whatever the content type says, or undefined: proxies answer in HTML, deletions in nothing. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The answer, or the failure that no answer came. Only what may be repeated is said to be retryable. */
export function answerOf(
  outcome: Answer | Fault,
  { isRepeatable }: { isRepeatable: boolean },
): Answer {
  if (outcome.kind === 'fault') {
    throw new UpstreamUnavailableError(outcome.reason, isRepeatable || !outcome.isSent);
  }
  return outcome;
}

/** The JSON of a 2xx; everything else is thrown as the failure it means. */
export function bodyOf(answer: Answer): unknown {
  const body = jsonOf(answer.text);
  if (!isSuccess(answer.status)) {
    throw failureOfStatus(answer.status, body, answer.retryAfter);
  }
  if (body === undefined) {
    throw new UpstreamUnavailableError('INVALID_ANSWER');
  }
  return body;
}

/** An upload that broke on its own side must not be told as the upstream's failure. */
export function throwIfSourceFailed(
  sourceFailure: { error: unknown } | undefined,
  fault: Fault,
): void {
  if (sourceFailure) {
    throw sourceFailure.error;
  }
  if (codeOf(fault.cause) === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH') {
    const message = 'The file does not have the size that was announced.';
    throw new InvalidInputError([{ path: ['input', 'size'], message }]);
  }
}
