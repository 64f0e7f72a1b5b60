import type { FutureError } from './answer.ts';
import { ask } from './ask.ts';
import { createLipsyncDocument } from './documents.ts';
import { LipsyncConnectionError } from './errors.ts';
import {
  type CreateLipsyncInput,
  type CreateLipsyncMutation,
  knownCreateLipsyncResults,
} from './operations.ts';
import type { LipsyncServer } from './server.ts';

/** By `__typename`. */
export type CreateLipsyncAnswer = CreateLipsyncMutation['answer'] | FutureError;

/**
 * Asks for a lip-sync. What the server says is returned, also a failure that may be retried: whether to pay for
 * another try is the caller's to decide. Only where no answer comes does it ask again, with the same `idempotencyKey`,
 * so that at most one is made. The key is a random one unless the input has one; where a reload of the page must not
 * make a second lip-sync either, give one that outlives the page.
 *
 * @throws LipsyncConnectionError with the key, LipsyncRequestError, or the signal's reason
 */
export async function createLipsync(
  server: LipsyncServer,
  input: CreateLipsyncInput,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<CreateLipsyncAnswer> {
  const idempotencyKey = input.idempotencyKey ?? makeKey();
  try {
    return await ask(server, {
      document: createLipsyncDocument,
      variables: {
        input: { ...input, idempotencyKey },
      },
      known: knownCreateLipsyncResults,
      signal,
    });
  } catch (error) {
    if (error instanceof LipsyncConnectionError) error.idempotencyKey = idempotencyKey;
    throw error;
  }
}

/** Browsers have `randomUUID` only on https and localhost. */
function makeKey(): string {
  return crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join('-');
}
