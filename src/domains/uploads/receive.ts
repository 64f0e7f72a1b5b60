import { type Failure, NotFoundError, restoreFailure, storeFailure } from '../../errors.ts';
import { lineShare } from '../../log.ts';
import type { OwnerSlots } from '../../owner-slots.ts';
import type { UploadDependencies } from './dependencies.ts';
import { maxUploadBytes } from './media-types.ts';
import { interruptedFailure, type RejectionReason, UploadRejection } from './rejection.ts';
import type { Decoding } from './sound/decoding.ts';
import { traceUpload } from './spans.ts';
import {
  claimUpload,
  failUpload,
  findUpload,
  finishUpload,
  touchUpload,
  type Upload,
} from './store.ts';
import { type Transfer, transferFile } from './transfer.ts';

/** How often the number of received bytes is written to the row. */
const touchIntervalMs = 60_000;

export type IncomingFile = Pick<Transfer, 'body' | 'signal'> & {
  /** In bytes, as the client announced it; null = not announced. */
  contentLength: number | null;
};

/** `slots` limits the uploads that are received at the same time. */
export type ReceiveDependencies = UploadDependencies & {
  readonly slots: OwnerSlots;
  readonly decoding: Decoding;
  /** The ids of the uploads that this process receives. */
  readonly receiving: Set<string>;
  /** Called when a claimed upload is READY or FAILED. */
  readonly onEnd: (uploadId: string) => void;
};

export type Reception =
  | { kind: 'ready'; upload: Upload }
  | { kind: 'rejected'; reason: RejectionReason; failure: Failure };

/**
 * Receives the file of a waiting upload.
 *
 * @param id null for an invalid token
 * @throws only unexpected errors: every rejection is a result
 */
export async function receiveFile(
  deps: ReceiveDependencies,
  id: string | null,
  file: IncomingFile,
): Promise<Reception> {
  try {
    const upload = await findWaiting(deps, id, file.contentLength);
    const release = deps.slots.acquire(upload.owner);
    if (release === null) throw UploadRejection.busy();
    try {
      const claimed = await claim(deps, upload, file.contentLength);
      return { kind: 'ready', upload: await receiveClaimed(deps, claimed, file) };
    } finally {
      release();
      deps.onEnd(upload.id);
    }
  } catch (thrown) {
    if (!(thrown instanceof UploadRejection)) throw thrown;
    return { kind: 'rejected', reason: thrown.reason, failure: thrown.failure };
  }
}

/** A rejection before the first byte leaves the upload WAITING, so that the client can correct its request. */
async function findWaiting(
  deps: UploadDependencies,
  id: string | null,
  contentLength: number | null,
): Promise<Upload> {
  const upload = id === null ? null : await findUpload(deps.db, id);
  if (upload === null) throw new UploadRejection('UNKNOWN', new NotFoundError('The upload'));
  checkState(upload, deps.now());
  checkLength(upload.size, contentLength);
  return upload;
}

async function claim(
  deps: UploadDependencies,
  upload: Upload,
  contentLength: number | null,
): Promise<Upload> {
  const now = deps.now();
  if (!(await claimUpload(deps.db, upload.id, now))) {
    checkState(upload, now);
    throw UploadRejection.used();
  }
  return { ...upload, size: upload.size ?? contentLength };
}

function checkState(upload: Upload, now: Date): void {
  if (upload.state === 'EXPIRED' || isExpired(upload, now)) {
    throw new UploadRejection(
      'EXPIRED',
      new NotFoundError('The upload has expired; a file for it'),
    );
  }
  if (upload.state !== 'WAITING') throw UploadRejection.used();
}

/** Also before the row is marked as EXPIRED. */
export function isExpired(upload: Upload, now: Date): boolean {
  return upload.state === 'WAITING' && upload.expiresAt <= now;
}

function checkLength(declared: number | null, announced: number | null): void {
  if (announced === null) return;
  if (announced === 0) throw UploadRejection.empty();
  if (announced > maxUploadBytes) throw UploadRejection.tooLarge();
  if (declared !== null && declared !== announced) throw UploadRejection.wrongSize(declared);
}

/**
 * Stores a stream as the file of an upload that is RECEIVING. The upload becomes READY or FAILED.
 *
 * @throws {UploadRejection}
 */
export async function receiveClaimed(
  deps: Omit<ReceiveDependencies, 'slots'>,
  upload: Upload,
  { body, signal }: Pick<IncomingFile, 'body' | 'signal'>,
): Promise<Upload> {
  deps.receiving.add(upload.id);
  try {
    const onPiece = createToucher(deps, upload);
    const file = await traceUpload(deps, { upload, name: 'upload receive', kind: 'server' }, () =>
      transferFile(deps, upload, { body, signal, onPiece }),
    );
    await finishUpload(deps.db, upload.id, file);
    return { ...upload, ...file, state: 'READY' };
  } catch (thrown) {
    const failure = failureToStore(thrown);
    await failUpload(deps.db, upload.id, failure);
    throw thrown instanceof UploadRejection
      ? new UploadRejection(thrown.reason, restoreFailure(failure))
      : thrown;
  } finally {
    deps.receiving.delete(upload.id);
  }
}

function failureToStore(thrown: unknown) {
  return thrown instanceof UploadRejection && thrown.reason !== 'SERVER_STOPS'
    ? storeFailure(thrown.failure)
    : interruptedFailure;
}

/** Updates the number of bytes in the row of a long upload. */
export function createToucher(
  deps: UploadDependencies,
  { id, owner, size }: Upload,
  intervalMs = touchIntervalMs,
): (receivedBytes: number) => void {
  let touchedAt = deps.now().getTime();
  return (receivedBytes) => {
    const now = deps.now();
    if (now.getTime() - touchedAt < intervalMs) return;
    touchedAt = now.getTime();
    touchUpload(deps.db, id, { now, receivedBytes, size }).catch((error: unknown) => {
      deps.log.warn(
        { err: error, uploadId: id, [lineShare]: owner },
        'could not update the row of a running upload',
      );
    });
  };
}
