import { createLipsyncDocument } from '../documents.ts';
import { LipsyncConnectionError, LipsyncServerError } from '../errors.ts';
import { executeWithRetry } from '../execute.ts';
import {
  type CreateLipsyncInput,
  type CreateLipsyncMutation,
  knownCreateLipsyncResults,
} from '../operations.ts';
import type { FutureError } from '../result.ts';
import type { LipsyncServer } from '../server.ts';

/** By `__typename`. */
export type CreateLipsyncAnswer = CreateLipsyncMutation['answer'] | FutureError;

/**
 * Creates a lip-sync. Every answer of the server is returned, retryable failures included, because only the caller can
 * decide to pay for another attempt. The kit retries only when no answer arrives, with the same `idempotencyKey`, so at
 * most one lip-sync is made. The key is random unless the input has one. To be safe across a page reload too, pass a
 * key that is stored outside the page.
 *
 * @throws LipsyncConnectionError or LipsyncServerError with the key, LipsyncRequestError, or the signal's reason
 */
export async function createLipsync(
  server: LipsyncServer,
  input: CreateLipsyncInput,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<CreateLipsyncAnswer> {
  const idempotencyKey = input.idempotencyKey ?? makeKey();
  try {
    return await executeWithRetry(server, {
      document: createLipsyncDocument,
      variables: {
        input: { ...input, idempotencyKey },
      },
      known: knownCreateLipsyncResults,
      signal,
    });
  } catch (error) {
    if (error instanceof LipsyncConnectionError || error instanceof LipsyncServerError) {
      error.idempotencyKey = idempotencyKey;
    }
    throw error;
  }
}

/** Browsers have `randomUUID` only in secure contexts: https and localhost. */
export function makeKey(): string {
  return crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join('-');
}
