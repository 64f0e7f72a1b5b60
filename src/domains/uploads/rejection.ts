import {
  type Failure,
  type InputIssueCode,
  InvalidInputError,
  QuotaExceededError,
  type StoredFailure,
  storeFailure,
  UpstreamUnavailableError,
} from '../../errors.ts';
import { maxUploadBytes } from './media-types.ts';
import type { UploadKind } from './store.ts';

/** Why an upload was aborted although neither the file nor the upstream is at fault. */
export type Interruption = 'CLIENT_LEFT' | 'SERVER_STOPS';

/** An arbitrary wait: it is unknown when one of the running uploads ends. */
const busyRetrySeconds = 10;

export type RejectionReason =
  | 'UNKNOWN'
  | 'EXPIRED'
  | 'USED'
  /** This process already receives the maximum number of files, of the owner or in all. */
  | 'BUSY'
  | 'WRONG_SIZE'
  | 'TOO_LARGE'
  | 'WRONG_KIND'
  /** The sound is longer than a lip-sync can be. */
  | 'TOO_LONG'
  | 'STALLED'
  /** The server of a URL did not deliver the file. */
  | 'UNREACHABLE'
  /** The URL, or one that it redirects to, leads to an address that is not allowed. */
  | 'NOT_ALLOWED'
  /** The file comes in a form that this server does not read. */
  | 'NOT_SUPPORTED'
  | Interruption
  /** The upstream rejected the file or was not available: the failure's code says which. */
  | 'UPSTREAM';

/** The code of the issue for a rejection that is the fault of the request. */
const issueCodes: Record<RejectionReason, InputIssueCode> = {
  UNKNOWN: 'UNKNOWN_ID',
  EXPIRED: 'WRONG_STATUS',
  USED: 'WRONG_STATUS',
  BUSY: 'WRONG_STATUS',
  WRONG_SIZE: 'WRONG_SIZE',
  TOO_LARGE: 'TOO_LARGE',
  WRONG_KIND: 'WRONG_KIND',
  TOO_LONG: 'TOO_LONG',
  STALLED: 'INCOMPLETE',
  UNREACHABLE: 'UNREACHABLE',
  NOT_ALLOWED: 'NOT_ALLOWED',
  NOT_SUPPORTED: 'NOT_SUPPORTED',
  CLIENT_LEFT: 'INCOMPLETE',
  SERVER_STOPS: 'INCOMPLETE',
  UPSTREAM: 'REJECTED',
};

/**
 * Thrown and caught within this slice. An `Error`, unlike the failure that it carries, because it passes through Node's
 * streams, which require one.
 */
export class UploadRejection extends Error {
  readonly reason: RejectionReason;
  readonly failure: Failure;

  constructor(reason: RejectionReason, failure: Failure | string) {
    super(reason);
    this.reason = reason;
    this.failure =
      typeof failure === 'string'
        ? new InvalidInputError([{ path: ['file'], message: failure, code: issueCodes[reason] }])
        : failure;
  }

  static interrupted(reason: unknown): UploadRejection {
    return reason === 'SERVER_STOPS'
      ? new UploadRejection('SERVER_STOPS', new UpstreamUnavailableError('CONNECTION_FAILED'))
      : new UploadRejection('CLIENT_LEFT', 'The connection ended before the whole file arrived.');
  }

  static stalled(): UploadRejection {
    const message = 'No more bytes of the file arrived. Create another upload and try again.';
    return new UploadRejection('STALLED', message);
  }

  static used(): UploadRejection {
    const message = 'An upload URL accepts one file, once. Create another upload.';
    return new UploadRejection('USED', message);
  }

  /** The upload stays WAITING: its URL can be used later. */
  static busy(): UploadRejection {
    return new UploadRejection(
      'BUSY',
      new QuotaExceededError('uploads at the same time', busyRetrySeconds),
    );
  }

  static tooLarge(maxBytes = maxUploadBytes): UploadRejection {
    const limit = maxBytes === maxUploadBytes ? '5 GB' : `${maxBytes} bytes`;
    return new UploadRejection('TOO_LARGE', `A file can have at most ${limit}.`);
  }

  static empty(): UploadRejection {
    return new UploadRejection('WRONG_SIZE', 'The file is empty.');
  }

  static wrongSize(expected: number): UploadRejection {
    const message = `The file does not have the announced size of ${expected} bytes.`;
    return new UploadRejection('WRONG_SIZE', message);
  }

  /** @param reason such as `answered with the status 404` */
  static unreachable(reason: string): UploadRejection {
    return new UploadRejection('UNREACHABLE', `The server of the URL ${reason}.`);
  }

  static notAllowed(): UploadRejection {
    const message = 'The URL must lead to a server on the public internet.';
    return new UploadRejection('NOT_ALLOWED', message);
  }

  static compressed(): UploadRejection {
    const message =
      'The server of the URL sends the file compressed, although it was asked not to.';
    return new UploadRejection('NOT_SUPPORTED', message);
  }

  static tooSlow(timeoutMs: number): UploadRejection {
    const message = `The file did not arrive within ${timeoutMs / 1_000} seconds.`;
    return new UploadRejection('STALLED', message);
  }

  static webPage(): UploadRejection {
    const message =
      'The URL leads to a web page or a document. Give the address of the file itself.';
    return new UploadRejection('WRONG_KIND', message);
  }

  /** @param found the usual extension of such files; null if the content is of no known type */
  static wrongKind(kind: UploadKind, found: string | null): UploadRejection {
    const type =
      found === null ? 'The content of the file' : `The file has the type ${found}, which`;
    const message =
      kind === 'AUDIO'
        ? `${type} is not audio of an accepted type: WAV, MP3, M4A, AAC, OGG, WebM, FLAC, AIFF or CAF.`
        : `${type} is not a video of an accepted type.`;
    return new UploadRejection('WRONG_KIND', message);
  }

  static hasNoSound(): UploadRejection {
    return new UploadRejection('WRONG_KIND', 'The file is a video without sound.');
  }

  static undecodable(): UploadRejection {
    const message =
      'The sound of the file cannot be decoded: the file is damaged, incomplete, or has a codec that is not supported. Save it as MP3, or as WAV without compression.';
    return new UploadRejection('WRONG_KIND', message);
  }

  static emptyClip(): UploadRejection {
    return new UploadRejection('WRONG_KIND', 'The clip begins after the end of the sound.');
  }

  static tooLong(): UploadRejection {
    const message =
      'The sound is longer than 60 seconds. Create an upload with `clip`, which uses a part of it.';
    return new UploadRejection('TOO_LONG', message);
  }

  static tooLargeToDecode(): UploadRejection {
    const message =
      'A file that must be decoded or cut can have at most 256 MB. WAV and MP3 without `clip` can have 5 GB.';
    return new UploadRejection('TOO_LARGE', message);
  }

  static takesTooLong(): UploadRejection {
    const message = 'Decoding the file takes too long. Save it as WAV or MP3.';
    return new UploadRejection('WRONG_KIND', message);
  }

  static tooManyDecodings(): UploadRejection {
    return new UploadRejection(
      'BUSY',
      new QuotaExceededError('files that are decoded at the same time', busyRetrySeconds),
    );
  }
}

/** Stored for an upload that this server aborted: the caller made no mistake, and another upload may succeed. */
export const interruptedFailure: StoredFailure = {
  ...storeFailure(new UpstreamUnavailableError('CONNECTION_FAILED')),
  message: 'The upload was interrupted. Create another upload and send the file again.',
};
