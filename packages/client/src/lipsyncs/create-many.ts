import { createLipsyncsDocument } from '../documents.ts';
import { executeWithRetry } from '../execute.ts';
import {
  type CreateLipsyncInput,
  type CreateLipsyncsMutation,
  knownCreateLipsyncResults,
  knownCreateLipsyncsResults,
} from '../operations.ts';
import { type FutureError, type QuotaExceededError, toFutureError } from '../result.ts';
import type { LipsyncServer } from '../server.ts';
import { type CreateLipsyncAnswer, makeKey } from './create.ts';

/** By `__typename`. `results` has an answer for each input, in the order of the inputs. */
export type CreateLipsyncsAnswer =
  | { __typename: 'CreateLipsyncsSuccess'; results: CreateLipsyncAnswer[] }
  | Exclude<CreateLipsyncsMutation['answer'], { __typename: 'CreateLipsyncsSuccess' }>
  | QuotaExceededError
  | FutureError;

/**
 * Creates up to a hundred lip-syncs with one request. As with `createLipsync`, each gets a random `idempotencyKey` unless
 * its input has one, and only a lost answer is retried. To call again after an error, pass keys of your own.
 *
 * @throws LipsyncConnectionError, LipsyncServerError, LipsyncRequestError, or the signal's reason
 */
export async function createLipsyncs(
  server: LipsyncServer,
  inputs: readonly CreateLipsyncInput[],
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<CreateLipsyncsAnswer> {
  const items = inputs.map((input) => ({
    ...input,
    idempotencyKey: input.idempotencyKey ?? makeKey(),
  }));
  const answer = await executeWithRetry(server, {
    document: createLipsyncsDocument,
    variables: { input: { items } },
    known: knownCreateLipsyncsResults,
    signal,
  });
  if (answer.__typename !== 'CreateLipsyncsSuccess') return answer;
  return { ...answer, results: answer.results.map(withKnownType) };
}

function withKnownType(result: CreateLipsyncAnswer): CreateLipsyncAnswer {
  const known: readonly string[] = knownCreateLipsyncResults;
  if (known.includes(result.__typename) || !('code' in result)) return result;
  return toFutureError(result);
}
