import { abortAfter, delayAfter, joinSignals, readRetryAfterMs } from './back-off.ts';
import type { TypedDocument } from './documents.ts';
import { FailedAttempt, LipsyncRequestError, minDelayOf, toLastError } from './errors.ts';
import { type ExecutionResult, readField, readServerFault, readUnionMember } from './result.ts';
import { type LipsyncServer, type Operation, post, resolveUrl, waitToRetry } from './server.ts';

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

/** The same for a field that is not a union: a failure arrives in `errors`, and a missing object as null. */
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
    signal = joinSignals(),
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
      if (failures >= attempts) throw toLastError(error, 'The server does not answer.');
      failure = error;
    }
    const delayMs = Math.max(delayAfter(failures, server.backOff), minDelayOf(failure));
    await waitToRetry(server, { document, failures, delayMs, error: failure }, signal);
  }
}

async function executeOnce(
  server: LipsyncServer,
  operation: Operation,
  signal: AbortSignal,
): Promise<ExecutionResult> {
  const timeout = abortAfter(server.timeoutMs ?? defaultTimeoutMs);
  const accept = 'application/json';
  return readResponse(
    await post(server, operation, { accept, signal: joinSignals(signal, timeout) }),
  );
}

/**
 * @throws LipsyncRequestError if the response is an error without a GraphQL result, or Error if a retry may succeed
 */
export async function readResponse(response: Response): Promise<ExecutionResult> {
  const text = await response.text();
  const { status, ok } = response;
  let result: ExecutionResult = {};
  let errors: ExecutionResult['errors'];
  try {
    result = JSON.parse(text) as ExecutionResult;
    errors = result.errors;
  } catch (error) {
    // HTML with status 200 comes from a captive portal or another proxy, so a retry may reach the server.
    if (ok) throw error;
  }
  // 408: the request did not arrive in time. A 429 of a proxy has no `errors`; the caller gets the server's own.
  if (status >= 500 || status === 408 || (status === 429 && errors === undefined)) {
    const minDelayMs = readRetryAfterMs(response.headers.get('retry-after'));
    throw (
      readServerFault(errors?.[0], minDelayMs) ?? new FailedAttempt(messageOf(response), minDelayMs)
    );
  }
  if (ok || errors !== undefined) return result;
  throw new LipsyncRequestError(messageOf(response));
}

/** Of an answer without a GraphQL result. */
export function messageOf({ status }: { status: number }): string {
  return `The server answered with status ${status}.`;
}
