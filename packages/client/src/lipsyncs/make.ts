import type { CreateLipsyncInput } from '../operations.ts';
import type { WatchableServer, WatchFailure } from '../streams/log-reader.ts';
import {
  type Lipsync,
  type LipsyncEnd,
  type WaitOptions,
  waitForLipsync,
} from '../streams/wait.ts';
import { type CreateLipsyncAnswer, createLipsync } from './create.ts';

/** Why no lip-sync was created. */
export type CreateFailure = Exclude<
  CreateLipsyncAnswer,
  { __typename: 'CreateLipsyncSuccess' | 'OutcomeUnknownError' }
>;

/** Options of `makeLipsync` and `makeLipsyncOrThrow`. */
export type MakeOptions = Omit<WaitOptions, 'after'> & {
  /** Called once the lip-sync exists. Store its id: `waitForLipsync` continues with it after a page reload. */
  onCreated?: ((lipsync: Lipsync) => void) | undefined;
};

/**
 * From the input to the finished video: `createLipsync` and `waitForLipsync` in one. The deadline applies to the wait.
 * After `OutcomeUnknownError` it waits too, because the job may still be found.
 *
 * @throws LipsyncConnectionError or LipsyncServerError with the key or the cursor, LipsyncRequestError, or the signal's
 * reason
 */
export async function makeLipsync(
  server: WatchableServer,
  input: CreateLipsyncInput,
  { onCreated, ...options }: MakeOptions = {},
): Promise<LipsyncEnd<CreateFailure | WatchFailure>> {
  const answer = await createLipsync(server, input, options);
  if (answer.__typename !== 'CreateLipsyncSuccess' && answer.__typename !== 'OutcomeUnknownError') {
    return { outcome: 'REFUSED', failure: answer };
  }
  onCreated?.(answer.lipsync);
  return waitForLipsync(server, answer.lipsync.id, options);
}
