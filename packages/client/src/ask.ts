import { type Result, readAnswer } from './answer.ts';
import { delayAfter, pause } from './back-off.ts';
import type { TypedDocument } from './documents.ts';
import { LipsyncConnectionError, LipsyncRequestError } from './errors.ts';
import { addressOf, type LipsyncServer, type Operation, post } from './server.ts';

/** Four times as long as the server waits for an answer of the video service. */
export const defaultTimeoutMs = 120_000;

type Member = { __typename: string };

type Question<T extends Member, Variables> = {
  document: TypedDocument<{ answer: T }, Variables>;
  variables: NoInfer<Variables>;
  known: readonly T['__typename'][];
  signal: AbortSignal | undefined;
};

/**
 * Asks until there is an answer. Whoever calls this has made sure that it may be asked twice.
 *
 * @throws LipsyncConnectionError, LipsyncRequestError, TypeError for a bad address, or the signal's reason
 */
export async function ask<T extends Member, Variables extends Operation['variables']>(
  server: LipsyncServer,
  { document, variables, known, signal = new AbortController().signal }: Question<T, Variables>,
) {
  const operation = { query: document, variables };
  const { attempts = 5 } = server.backOff ?? {};
  addressOf(server);
  for (let failures = 1; ; failures += 1) {
    try {
      return readAnswer<T>(await askOnce(server, operation, signal), known);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof LipsyncRequestError) throw error;
      if (failures >= attempts) {
        throw new LipsyncConnectionError('The server gives no answer.', { cause: error });
      }
    }
    await pause(delayAfter(failures, server.backOff), signal);
  }
}

async function askOnce(
  server: LipsyncServer,
  operation: Operation,
  signal: AbortSignal,
): Promise<Result> {
  const patience = AbortSignal.timeout(server.timeoutMs ?? defaultTimeoutMs);
  const response = await post(server, operation, {
    accept: 'application/json',
    signal: AbortSignal.any([signal, patience]),
  });
  return readResult(response);
}

/** Proxies that are asked too slowly, or too much too fast, are no server that refuses. */
const passingStatuses = [408, 429];

/**
 * @throws LipsyncRequestError where the answer is a refusal without a reason in GraphQL, and Error where the next try
 *   may get one
 */
export async function readResult(response: Response): Promise<Result> {
  const text = await response.text();
  const { status } = response;
  if (status >= 500) throw new Error(`The server answers ${status}.`);
  try {
    const result = JSON.parse(text) as Result;
    if (result.errors !== undefined || response.ok) return result;
  } catch (error) {
    // A page instead of an answer is some proxy's, say that of a hotel's network.
    if (response.ok) throw error;
  }
  if (passingStatuses.includes(status)) throw new Error(`The server answers ${status}.`);
  throw new LipsyncRequestError(`The server answers ${status}.`);
}
