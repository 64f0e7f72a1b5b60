import {
  type Failure,
  InvalidInputError,
  type StoredFailure,
  storeFailure,
  UpstreamUnavailableError,
} from '../../errors.ts';
import type { UploadKind } from './store.ts';

/** Why an upload ends although neither file nor upstream is at fault. */
export type Interruption = 'CLIENT_LEFT' | 'SERVER_STOPS';

export type RefusalReason =
  | 'UNKNOWN'
  | 'EXPIRED'
  | 'USED'
  | 'WRONG_SIZE'
  | 'TOO_LARGE'
  | 'WRONG_KIND'
  | 'STALLED'
  | Interruption
  /** The upstream refused the file or could not be used: the failure's code says why. */
  | 'UPSTREAM';

/**
 * Leaves a stream, and is caught within this slice. An `Error`, unlike the failure it carries, because it passes through
 * node's streams, which expect one.
 */
export class Refusal extends Error {
  readonly reason: RefusalReason;
  readonly failure: Failure;

  constructor(reason: RefusalReason, failure: Failure | string) {
    super(reason);
    this.reason = reason;
    this.failure =
      typeof failure === 'string'
        ? new InvalidInputError([{ path: ['file'], message: failure }])
        : failure;
  }
}

/** What is stored where we broke off: the caller did nothing wrong, and another upload may succeed. */
export const interruptedFailure: StoredFailure = {
  ...storeFailure(new UpstreamUnavailableError('CONNECTION_FAILED')),
  message: 'The upload was interrupted. Create another one and send the file again.',
};

export function refuseInterrupted(reason: unknown): Refusal {
  return reason === 'SERVER_STOPS'
    ? new Refusal('SERVER_STOPS', new UpstreamUnavailableError('CONNECTION_FAILED'))
    : new Refusal('CLIENT_LEFT', 'The connection ended before the whole file had arrived.');
}

export function refuseStalled(): Refusal {
  return new Refusal('STALLED', 'The file stopped arriving. Create another upload and try again.');
}

export function refuseTooLarge(): Refusal {
  return new Refusal('TOO_LARGE', 'A file can have at most 5 GB.');
}

export function refuseEmpty(): Refusal {
  return new Refusal('WRONG_SIZE', 'The file is empty.');
}

export function refuseSize(expected: number): Refusal {
  return new Refusal(
    'WRONG_SIZE',
    `The file does not have the ${expected} bytes it was said to have.`,
  );
}

export function refuseKind(kind: UploadKind): Refusal {
  const message =
    kind === 'AUDIO'
      ? 'By its content the file is no WAV or MP3 audio.'
      : 'By its content the file is no video of an accepted kind.';
  return new Refusal('WRONG_KIND', message);
}
