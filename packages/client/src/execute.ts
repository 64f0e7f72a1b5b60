import { delayAfter, waitUnlessAborted } from './back-off.ts';
import type { TypedDocument } from './documents.ts';
import { LipsyncConnectionError, LipsyncRequestError } from './errors.ts';
import { type ExecutionResult, readUnionMember } from './result.ts';
import { type LipsyncServer, type Operation, post, resolveUrl } from './server.ts';

/** Four times as long as the server waits for the video service by default. */
export const defaultTimeoutMs = 120_000;

type Member = { __typename: string };

type IdempotentOperation<T extends Member, Variables> = {
  document: TypedDocument<{ answer: T }, Variables>;
  variables: NoInfer<Variables>;
  /** The union members that this version knows. */
  known: readonly T['__typename'][];
  signal: AbortSignal | undefined;
};

/**
 * Executes an operation and retries it until there is an answer. The operation must be idempotent: a lost answer does
 * not say whether the server executed it.
 *
 * @throws LipsyncConnectionError, LipsyncRequestError, TypeError for an invalid URL, or the signal's reason
 */
export async function executeWithRetry<T extends Member, Variables extends Operation['variables']>(
  server: LipsyncServer,
  {
    document,
    variables,
    known,
    signal = new AbortController().signal,
  }: IdempotentOperation<T, Variables>,
) {
  const operation = { query: document, variables };
  const { attempts = 5 } = server.backOff ?? {};
  // Throws for an invalid URL now, because a retry would not help.
  resolveUrl(server);
  for (let failures = 1; ; failures += 1) {
    let minDelayMs = 0;
    try {
      return readUnionMember<T>(await executeOnce(server, operation, signal), known);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof LipsyncRequestError) throw error;
      minDelayMs = minDelayOf(error);
      if (failures >= attempts) {
        throw new LipsyncConnectionError('The server does not answer.', { cause: error });
      }
    }
    const delayMs = Math.max(delayAfter(failures, server.backOff), minDelayMs);
    await waitUnlessAborted(delayMs, signal);
  }
}

async function executeOnce(
  server: LipsyncServer,
  operation: Operation,
  signal: AbortSignal,
): Promise<ExecutionResult> {
  const timeout = AbortSignal.timeout(server.timeoutMs ?? defaultTimeoutMs);
  const response = await post(server, operation, {
    accept: 'application/json',
    signal: AbortSignal.any([signal, timeout]),
  });
  return readResponse(response);
}

/** A longer `Retry-After` does not delay a retry further: it is meant for crawlers. */
const maxRetryAfterSeconds = 30;

/** An answer that a retry may improve. */
class ServerError extends Error {
  readonly minDelayMs: number;

  constructor({ status, headers }: Response) {
    super(`The server answered with status ${status}.`);
    const seconds = Number(headers.get('retry-after'));
    this.minDelayMs = 1_000 * (seconds > 0 ? Math.min(seconds, maxRetryAfterSeconds) : 0);
  }
}

function minDelayOf(error: unknown): number {
  return error instanceof ServerError ? error.minDelayMs : 0;
}

/** Request timeout and rate limit, usually of a proxy. */
const retryableStatuses = [408, 429];

/**
 * @throws LipsyncRequestError if the response is an error without a GraphQL result, or Error if a retry may succeed
 */
export async function readResponse(response: Response): Promise<ExecutionResult> {
  const text = await response.text();
  const { status } = response;
  if (status >= 500) throw new ServerError(response);
  try {
    const result = JSON.parse(text) as ExecutionResult;
    if (result.errors !== undefined || response.ok) return result;
  } catch (error) {
    // HTML with status 200 comes from a captive portal or another proxy, so a retry may reach the server.
    if (response.ok) throw error;
  }
  if (retryableStatuses.includes(status)) {
    throw new Error(`The server answered with status ${status}.`);
  }
  throw new LipsyncRequestError(`The server answered with status ${status}.`);
}
