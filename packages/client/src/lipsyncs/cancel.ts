import { cancelLipsyncDocument } from '../documents.ts';
import { executeWithRetry } from '../execute.ts';
import { type CancelLipsyncMutation, knownCancelLipsyncResults } from '../operations.ts';
import type { FutureError, QuotaExceededError } from '../result.ts';
import type { LipsyncServer } from '../server.ts';

/**
 * With `lipsync`: an outcome, whose `__typename` says which. `LipsyncTrackingStopped`: the job was already running; it
 * continues, and `lipsync.charge` says whether it is charged. Without `lipsync`: the failure.
 */
export type CancelLipsyncAnswer =
  | CancelLipsyncMutation['answer']
  | QuotaExceededError
  | FutureError;

/**
 * Cancels a lip-sync. A second call returns the answer of the first.
 *
 * @throws LipsyncConnectionError, LipsyncServerError, LipsyncRequestError, or the signal's reason
 */
export function cancelLipsync(
  server: LipsyncServer,
  id: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<CancelLipsyncAnswer> {
  return executeWithRetry(server, {
    document: cancelLipsyncDocument,
    variables: { input: { id } },
    known: knownCancelLipsyncResults,
    signal,
  });
}
