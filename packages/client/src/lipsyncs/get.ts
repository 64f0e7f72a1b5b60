import { getLipsyncDocument } from '../documents.ts';
import { executeField } from '../execute.ts';
import type { FieldFailure, LipsyncFailure } from '../result.ts';
import type { LipsyncServer } from '../server.ts';
import type { Lipsync } from '../streams/wait.ts';

/** By `__typename`. */
export type GetLipsyncAnswer =
  | (Lipsync & { __typename: 'Lipsync' })
  | (LipsyncFailure & { __typename: 'NotFoundError' })
  | FieldFailure;

/**
 * Reads a lip-sync once. To follow it, use `watchLipsync`.
 *
 * @throws LipsyncConnectionError, LipsyncServerError, LipsyncRequestError, or the signal's reason
 */
export async function getLipsync(
  server: LipsyncServer,
  id: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<GetLipsyncAnswer> {
  const answer = await executeField(server, {
    document: getLipsyncDocument,
    variables: { id },
    signal,
  });
  return (
    answer ?? {
      __typename: 'NotFoundError',
      code: 'NOT_FOUND',
      message: 'There is no such lip-sync.',
      retryable: false,
      retryAfterSeconds: null,
    }
  );
}
