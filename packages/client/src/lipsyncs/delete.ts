import { deleteLipsyncDocument } from '../documents.ts';
import { executeWithRetry } from '../execute.ts';
import { type DeleteLipsyncMutation, knownDeleteLipsyncResults } from '../operations.ts';
import type { FutureError, QuotaExceededError } from '../result.ts';
import type { LipsyncServer } from '../server.ts';

/** By `__typename`. */
export type DeleteLipsyncAnswer =
  | DeleteLipsyncMutation['answer']
  | QuotaExceededError
  | FutureError;

/**
 * Erases a finished lip-sync with its text, its reference and its events. If the answer of a first attempt was lost, the
 * second one finds nothing: `NotFoundError` then means that it is erased.
 *
 * @throws LipsyncConnectionError, LipsyncServerError, LipsyncRequestError, or the signal's reason
 */
export function deleteLipsync(
  server: LipsyncServer,
  id: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<DeleteLipsyncAnswer> {
  return executeWithRetry(server, {
    document: deleteLipsyncDocument,
    variables: { input: { id } },
    known: knownDeleteLipsyncResults,
    signal,
  });
}
