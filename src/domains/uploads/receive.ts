import { type Failure, NotFoundError, restoreFailure, storeFailure } from '../../errors.ts';
import type { UploadEngine } from './engine.ts';
import { maxUploadBytes } from './inspect.ts';
import {
  interruptedFailure,
  Refusal,
  type RefusalReason,
  refuseEmpty,
  refuseSize,
  refuseTooLarge,
} from './refusal.ts';
import {
  claimUpload,
  failUpload,
  findUpload,
  finishUpload,
  touchUpload,
  type Upload,
} from './store.ts';
import { type Transfer, transferFile } from './transfer.ts';

/** How often the row says that bytes still arrive; rows are given up only after many times that. */
const touchEveryMs = 60_000;

export type IncomingFile = Pick<Transfer, 'body' | 'signal'> & {
  /** In bytes, as its client announced it; null = not told. */
  contentLength: number | null;
};

export type Reception =
  | { kind: 'ready'; upload: Upload }
  | { kind: 'refused'; reason: RefusalReason; failure: Failure };

/**
 * Takes the bytes of an upload that waits for them.
 *
 * @param id null for one that cannot exist
 * @throws only what nobody foresaw: every refusal is an outcome
 */
export async function receiveFile(
  engine: UploadEngine,
  id: string | null,
  file: IncomingFile,
): Promise<Reception> {
  try {
    const upload = await claim(engine, id, file.contentLength);
    return { kind: 'ready', upload: await receiveClaimed(engine, upload, file) };
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    return { kind: 'refused', reason: thrown.reason, failure: thrown.failure };
  }
}

/** What can be refused before any byte leaves the upload waiting: the client may correct itself. */
async function claim(
  engine: UploadEngine,
  id: string | null,
  contentLength: number | null,
): Promise<Upload> {
  const upload = id === null ? null : await findUpload(engine.db, id);
  if (upload === null) throw new Refusal('UNKNOWN', new NotFoundError('The upload'));
  checkState(upload, engine.now());
  checkLength(upload.size, contentLength);
  const now = engine.now();
  if (!(await claimUpload(engine.db, upload.id, now))) {
    checkState(upload, now);
    throw refuseUsed();
  }
  return { ...upload, size: upload.size ?? contentLength };
}

function checkState(upload: Upload, now: Date): void {
  if (upload.state === 'EXPIRED' || isOverdue(upload, now)) {
    throw new Refusal('EXPIRED', new NotFoundError('The upload has expired; a file for it'));
  }
  if (upload.state !== 'WAITING') throw refuseUsed();
}

export function isOverdue(upload: Upload, now: Date): boolean {
  return upload.state === 'WAITING' && upload.expiresAt <= now;
}

function refuseUsed(): Refusal {
  return new Refusal('USED', 'An upload URL takes one file, once. Create another upload.');
}

function checkLength(declared: number | null, announced: number | null): void {
  if (announced === null) return;
  if (announced === 0) throw refuseEmpty();
  if (announced > maxUploadBytes) throw refuseTooLarge();
  if (declared !== null && declared !== announced) throw refuseSize(declared);
}

async function receiveClaimed(
  engine: UploadEngine,
  upload: Upload,
  { body, signal }: IncomingFile,
): Promise<Upload> {
  try {
    const onPiece = createToucher(engine, upload.id);
    const arrival = await transferFile(engine, upload, { body, signal, onPiece });
    await finishUpload(engine.db, upload.id, arrival);
    return { ...upload, ...arrival, state: 'READY' };
  } catch (thrown) {
    const failure = failureOf(thrown);
    await failUpload(engine.db, upload.id, failure);
    throw thrown instanceof Refusal ? new Refusal(thrown.reason, restoreFailure(failure)) : thrown;
  }
}

function failureOf(thrown: unknown) {
  return thrown instanceof Refusal && thrown.reason !== 'SERVER_STOPS'
    ? storeFailure(thrown.failure)
    : interruptedFailure;
}

/** Keeps a long upload from being taken for one whose process is gone. */
function createToucher(engine: UploadEngine, id: string): () => void {
  let touchedAt = engine.now().getTime();
  return () => {
    const now = engine.now();
    if (now.getTime() - touchedAt < touchEveryMs) return;
    touchedAt = now.getTime();
    touchUpload(engine.db, id, now).catch((error: unknown) => {
      engine.log.warn({ err: error, uploadId: id }, 'an upload could not be kept alive');
    });
  };
}
