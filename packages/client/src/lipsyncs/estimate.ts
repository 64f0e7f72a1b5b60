import { estimateLipsyncDocument } from '../documents.ts';
import { executeWithRetry } from '../execute.ts';
import {
  type EstimateLipsyncInput,
  type EstimateLipsyncQuery,
  knownEstimateLipsyncResults,
} from '../operations.ts';
import type { FutureError, QuotaExceededError } from '../result.ts';
import type { LipsyncServer } from '../server.ts';

/** By `__typename`. */
export type EstimateLipsyncAnswer =
  | EstimateLipsyncQuery['answer']
  | QuotaExceededError
  | FutureError;

/**
 * What a lip-sync would cost. Nothing is sent to the video service.
 *
 * @throws LipsyncConnectionError, LipsyncServerError, LipsyncRequestError, or the signal's reason
 */
export function estimateLipsync(
  server: LipsyncServer,
  input: EstimateLipsyncInput,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<EstimateLipsyncAnswer> {
  return executeWithRetry(server, {
    document: estimateLipsyncDocument,
    variables: { input },
    known: knownEstimateLipsyncResults,
    signal,
  });
}
