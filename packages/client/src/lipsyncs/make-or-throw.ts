import type { CreateLipsyncInput } from '../operations.ts';
import type { LipsyncFailure } from '../result.ts';
import type { WatchableServer, WatchFailure } from '../streams/log-reader.ts';
import type { Lipsync, LipsyncEnd, LipsyncVideo } from '../streams/wait.ts';
import { type CreateFailure, type MakeOptions, makeLipsync } from './make.ts';

type MadeEnd = LipsyncEnd<CreateFailure | WatchFailure>;

/** Why `makeLipsyncOrThrow` has no video. */
export class LipsyncNotMadeError extends Error {
  override readonly name = 'LipsyncNotMadeError';
  /** What `makeLipsync` would have returned. */
  readonly end: Exclude<MadeEnd, { outcome: 'COMPLETED' }>;
  /** The code of the failure, such as `CONTENT_MODERATED`, or the outcome where there is no failure. */
  readonly code: string;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;

  constructor(end: Exclude<MadeEnd, { outcome: 'COMPLETED' }>) {
    const failure: Pick<LipsyncFailure, 'message' | 'retryable'> & { code: string } =
      'failure' in end
        ? end.failure
        : { code: end.outcome, message: `No video was made: ${end.outcome}.`, retryable: false };
    super(failure.message);
    this.end = end;
    this.code = failure.code;
    this.retryable = failure.retryable;
  }
}

/**
 * `makeLipsync` for callers that only want the video: every other end is thrown.
 *
 * @throws LipsyncNotMadeError, LipsyncConnectionError or LipsyncServerError with the key or the cursor,
 * LipsyncRequestError, or the signal's reason
 */
export async function makeLipsyncOrThrow(
  server: WatchableServer,
  input: CreateLipsyncInput,
  options: MakeOptions = {},
): Promise<{ lipsync: Lipsync; video: LipsyncVideo }> {
  const end = await makeLipsync(server, input, options);
  if (end.outcome !== 'COMPLETED') throw new LipsyncNotMadeError(end);
  return { lipsync: end.lipsync, video: end.video };
}
