import type { FutureError } from './answer.ts';
import { ask } from './ask.ts';
import { cancelLipsyncDocument } from './documents.ts';
import { type CancelLipsyncMutation, knownCancelLipsyncResults } from './operations.ts';
import type { LipsyncServer } from './server.ts';

/** By `__typename`. `LipsyncTrackingStopped`: it ran already, goes on, and is charged. */
export type CancelLipsyncAnswer = CancelLipsyncMutation['answer'] | FutureError;

/**
 * Gives a lip-sync up. Asking twice gives the first answer again.
 *
 * @throws LipsyncConnectionError, LipsyncRequestError, or the signal's reason
 */
export function cancelLipsync(
  server: LipsyncServer,
  id: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<CancelLipsyncAnswer> {
  return ask(server, {
    document: cancelLipsyncDocument,
    variables: { input: { id } },
    known: knownCancelLipsyncResults,
    signal,
  });
}
