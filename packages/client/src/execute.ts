import { delayAfter, waitUnlessAborted } from './back-off.ts';
import type { TypedDocument } from './documents.ts';
import { LipsyncConnectionError, LipsyncRequestError, LipsyncServerError } from './errors.ts';
import { nameOf } from './hooks.ts';
import { type ExecutionResult, readField, readServerFault, readUnionMember } from './result.ts';
import { type LipsyncServer, type Operation, post, resolveUrl } from './server.ts';

/** Four times as long as the server waits for the video service by default. */
export const defaultTimeoutMs = 120_000;

type Member = { __typename: string };

type IdempotentOperation<T, Variables> = {
  document: TypedDocument<{ answer: T }, Variables>;
  variables: NoInfer<Variables>;
  signal: AbortSignal | undefined;
};

/**
 * Executes an operation whose field is a union, and retries it until there is an answer. The operation must be idempotent:
 * a lost answer does not say whether the server executed it.
 *
 * @throws LipsyncConnectionError, LipsyncServerError, LipsyncRequestError, TypeError for an invalid URL, or the signal's reason
 */
export function executeWithRetry<T extends Member, Variables extends Operation['variables']>(
  server: LipsyncServer,
  {
    known,
    ...operation
  }: IdempotentOperation<T, Variables> & {
    /** The union members that this version knows. */
    known: readonly T['__typename'][];
  },
) {
  return retry(server, operation, (result) => readUnionMember<T>(result, known));
}

/** The same for a field that is no union: a failure arrives in `errors`, and a missing object as null. */
export function executeField<T, Variables extends Operation['variables']>(
  server: LipsyncServer,
  operation: IdempotentOperation<T, Variables>,
) {
  return retry(server, operation, (result) => readField<NonNullable<T>>(result));
}

async function retry<Answer>(
  server: LipsyncServer,
  {
    document,
    variables,
    signal = new AbortController().signal,
  }: { document: string; variables: Operation['variables']; signal: AbortSignal | undefined },
  read: (result: ExecutionResult) => Answer,
): Promise<Answer> {
  const operation = { query: document, variables };
  const { attempts = 5 } = server.backOff ?? {};
  // Throws for an invalid URL now, because a retry would not help.
  resolveUrl(server);
  for (let failures = 1; ; failures += 1) {
    let failure: unknown;
    try {
      return read(await executeOnce(server, operation, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof LipsyncRequestError) throw error;
      if (failures >= attempts) throw lastErrorOf(error);
      failure = error;
    }
    const delayMs = Math.max(delayAfter(failures, server.backOff), minDelayOf(failure));
    server.hooks?.onRetry?.({ operationName: nameOf(document), failures, delayMs, error: failure });
    await waitUnlessAborted(delayMs, signal);
  }
}

function lastErrorOf(error: unknown): Error {
  if (error instanceof LipsyncServerError) return error;
  return new LipsyncConnectionError('The server does not answer.', { cause: error });
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

/** An answer of a proxy that a retry may improve. */
class ProxyError extends Error {
  readonly minDelayMs: number;

  constructor(status: number, minDelayMs: number) {
    super(`The server answered with status ${status}.`);
    this.minDelayMs = minDelayMs;
  }
}

function minDelayOf(error: unknown): number {
  return error instanceof ProxyError || error instanceof LipsyncServerError ? error.minDelayMs : 0;
}

function readRetryAfterMs({ headers }: Response): number {
  const seconds = Number(headers.get('retry-after'));
  return 1_000 * (seconds > 0 ? Math.min(seconds, maxRetryAfterSeconds) : 0);
}

/** The body of an answer with status 5xx is the server's own if it has errors with a code, and else a proxy's. */
function toServerError(response: Response, text: string): Error {
  const minDelayMs = readRetryAfterMs(response);
  try {
    const { errors } = JSON.parse(text) as ExecutionResult;
    const fault = readServerFault(errors?.[0], minDelayMs);
    if (fault !== null) return fault;
  } catch {
    // HTML of a proxy.
  }
  return new ProxyError(response.status, minDelayMs);
}

/** Request timeout and rate limit, usually of a proxy. */
const retryableStatuses = [408, 429];

/**
 * @throws LipsyncRequestError if the response is an error without a GraphQL result, or Error if a retry may succeed
 */
export async function readResponse(response: Response): Promise<ExecutionResult> {
  const text = await response.text();
  const { status } = response;
  if (status >= 500) throw toServerError(response, text);
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
