import { randomUUID } from 'node:crypto';
import { createSoundConverter } from '../../audio/sound-converter.ts';
import type { Sql } from '../../database/connect.ts';
import { isUuid } from '../../database/uuid.ts';
import { type InputIssue, InvalidInputError } from '../../errors.ts';
import { OwnerSlots } from '../../owner-slots.ts';
import { createUpload, emptyUpload, type NewUpload, type Traced } from './create.ts';
import type { UploadDependencies } from './dependencies.ts';
import { cleanFilename } from './filename.ts';
import {
  beginImports,
  checkImportUrl,
  checkOpenImports,
  importUpload,
  type NewImport,
  planImport,
} from './imports/create.ts';
import { startImports } from './imports/run.ts';
import { startLeases } from './leases/leases.ts';
import { maxUploadBytes } from './media-types.ts';
import { type IncomingFile, isExpired, type Reception, receiveFile } from './receive.ts';
import { UploadRejection } from './rejection.ts';
import { removeUpload } from './remove.ts';
import { insertTraced } from './spans.ts';
import {
  deleteReady,
  deleteUploadsOf,
  expireWaiting,
  findUploads,
  insertUpload,
  listUploads,
  type Upload,
  type UploadKey,
  type UploadPosition,
} from './store.ts';
import { type TransferDependencies, transferFile } from './transfer.ts';
import { eraseUnused } from './unused.ts';

export type { NewUpload } from './create.ts';
export type { ImportLimits } from './dependencies.ts';
export type { NewImport } from './imports/create.ts';
export type { IncomingFile, Reception } from './receive.ts';
export type { Interruption, RejectionReason } from './rejection.ts';
export type { Upload, UploadKey, UploadKind, UploadPosition, UploadState } from './store.ts';

/** A file in a GraphQL multipart request is held in memory; larger files need an upload URL. */
const maxInlineBytes = 25 * 1024 ** 2;

/** An upload can take hours, holds a connection on both sides and about a hundred kilobytes. */
const defaultConcurrency = { all: 256, perOwner: 64 };

/** Each holds up to 256 MB on disk, and two at a time have a thread. */
const defaultDecodings = { all: 32, perOwner: 8 };

export type UsableUpload = Pick<Upload, 'id' | 'kind' | 'path' | 'durationSeconds'> & {
  /** RECEIVING: it has no path yet. */
  isArriving: boolean;
};

/** The used part of a web `File` that came within a GraphQL request. */
export type InlineFile = Pick<File, 'name' | 'size' | 'arrayBuffer'>;

/** The size limit of a file in bytes. */
export const maxFileBytes = maxUploadBytes;

export type UploadPage = {
  after: UploadPosition | null;
  before: UploadPosition | null;
  limit: number;
  isBackwards: boolean;
};

export type UploadService = {
  /** Creates an upload and its URL. Nothing is sent upstream yet. @throws {InvalidInputError} {QuotaExceededError} */
  create(owner: string, input: NewUpload & Traced): Promise<{ upload: Upload; uploadUrl: string }>;
  /** Sends a small audio file on at once. @throws {InvalidInputError} and the upstream's failures */
  sendAudio(owner: string, file: InlineFile, traced?: Traced): Promise<Upload>;
  /** Receives the file for the upload of a token. Every rejection is a result. */
  receive(token: string, file: IncomingFile): Promise<Reception>;
  /** In the order of the keys, null for uploads of other owners. One query; none for invalid keys. */
  findByKeys(keys: readonly UploadKey[]): Promise<(Upload | null)[]>;
  /** The owner's uploads, newest first: up to `limit + 1`, of which the extra one shows that there are more. */
  list(owner: string, page: UploadPage): Promise<Upload[]>;
  /** Deletes the row of the upload. @throws {NotFoundError} {InvalidInputError} */
  remove(owner: string, key: string): Promise<void>;
  /** An upload that a lip-sync can use; null if it is neither READY nor RECEIVING, or belongs to another owner. */
  findUsable(owner: string, key: string): Promise<UsableUpload | null>;
  /**
   * Creates an upload whose file this server fetches in the background. It is RECEIVING at once.
   *
   * @throws {InvalidInputError} {QuotaExceededError}
   */
  import(owner: string, input: NewImport & Traced): Promise<Upload>;
  /** What is wrong with a URL to import, if anything. Does not resolve its host. */
  checkImportUrl(url: string, path: string[]): InputIssue[];
  /** @throws {QuotaExceededError} if the owner can't have this many imports more */
  checkOpenImports(owner: string, count: number): Promise<void>;
  /** The row of an import, of which nothing is written until `beginImports`. */
  planImport(owner: string, input: NewImport): Upload;
  /** Inserts planned imports in this transaction, and queues their fetching. One that exists is left as it is. */
  beginImports(tx: Sql, planned: readonly Upload[]): Promise<void>;
  /** `listener` is called with the id of each upload that becomes READY or FAILED in this process. */
  onEnd(listener: (uploadId: string) => void): void;
  /** Begins to fetch the files of imports, also those from before the last shutdown, and to fail uploads whose process has ended. */
  start(): Promise<void>;
  /** Interrupts the imports of this process. They start again on another instance, or after the next start. */
  stop(): void;
  /** Marks uploads whose URL expired unused. @returns their number */
  expireDue(): Promise<number>;
  /** Erases expired and failed uploads that were created before this moment. @returns their number */
  eraseUnused(createdBefore: Date): Promise<number>;
  /** Erases at most `limit` uploads of the owner. @returns how many */
  eraseBatchOf(tx: Sql, owner: string, limit: number): Promise<number>;
  /** A function that erases at most `limit` uploads with a file that were created before this moment. @returns how many */
  eraseReadyBatch(createdBefore: Date): (limit: number) => Promise<number>;
};

export function createUploadService(deps: UploadDependencies): UploadService {
  const slots = new OwnerSlots(deps.concurrency ?? defaultConcurrency);
  const decoding = {
    converter: deps.converter ?? createSoundConverter(),
    slots: new OwnerSlots(deps.decodings ?? defaultDecodings),
  };
  const receiving = new Set<string>();
  const stopping = new AbortController();
  const listeners: ((uploadId: string) => void)[] = [];
  const onEnd = (uploadId: string) => {
    for (const listener of listeners) listener(uploadId);
  };
  return {
    create: (owner, input) => createUpload(deps, owner, input),
    sendAudio: (owner, file, traced) =>
      sendAudio({ ...deps, decoding }, owner, { file, ...traced }),
    receive: (token, file) =>
      receiveFile({ ...deps, slots, decoding, receiving, onEnd }, readToken(deps, token), file),
    findByKeys: (keys) => findByKeys(deps, keys),
    async list(owner, page) {
      const found = await listUploads(deps.db, owner, { ...page, limit: page.limit + 1 });
      return found.map((upload) => applyExpiry(upload, deps.now()));
    },
    remove: (owner, id) => removeUpload(deps.db, { owner, id }),
    async findUsable(owner, key) {
      const [upload] = await findByKeys(deps, [{ owner, key }]);
      const isArriving = upload?.state === 'RECEIVING';
      if (upload == null || (upload.state !== 'READY' && !isArriving)) return null;
      const { id, path, kind, durationSeconds } = upload;
      return { id, path, kind, durationSeconds, isArriving };
    },
    import: (owner, input) => importUpload(deps, owner, input),
    checkImportUrl: (url, path) => checkImportUrl(deps, url, path),
    checkOpenImports: (owner, count) => checkOpenImports(deps, owner, count),
    planImport: (owner, input) => planImport(deps, owner, input),
    beginImports: (tx, planned) => beginImports(deps, tx, planned),
    onEnd: (listener) => void listeners.push(listener),
    async start() {
      await startLeases(deps, { receiving, stopping: stopping.signal, onEnd });
      await startImports({ ...deps, decoding }, { stopping: stopping.signal, onEnd });
    },
    stop: () => stopping.abort('SERVER_STOPS'),
    expireDue: () => expireWaiting(deps.db, deps.now()),
    eraseUnused: (createdBefore) => eraseUnused(deps.db, createdBefore),
    eraseBatchOf: deleteUploadsOf,
    eraseReadyBatch: (createdBefore) => (limit) => deleteReady(deps.db, createdBefore, limit),
  };
}

/**
 * The id of the upload that a token was signed for, or null. The token's expiry is not checked here, so that an expired
 * URL gives "has expired" instead of "not found"; the row has the expiry too.
 */
function readToken(deps: UploadDependencies, token: string): string | null {
  const id = deps.tokens.readId(token);
  return id !== null && isUuid(id) ? id : null;
}

async function findByKeys(
  deps: UploadDependencies,
  keys: readonly UploadKey[],
): Promise<(Upload | null)[]> {
  const valid = keys.filter(({ key }) => isUuid(key));
  const found = valid.length === 0 ? [] : await findUploads(deps.db, valid);
  const now = deps.now();
  const byId = new Map(found.map((upload) => [upload.id, applyExpiry(upload, now)]));
  return keys.map(({ key }) => byId.get(key) ?? null);
}

/** Shows an expired upload as EXPIRED, even before its row is marked. */
function applyExpiry(upload: Upload, now: Date): Upload {
  return isExpired(upload, now) ? { ...upload, state: 'EXPIRED' } : upload;
}

async function sendAudio(
  deps: TransferDependencies,
  owner: string,
  { file, origin }: { file: InlineFile } & Traced,
): Promise<Upload> {
  if (file.size > maxInlineBytes) {
    const message = 'The file is larger than 25 MB. Use createUpload, which takes up to 5 GB.';
    throw new InvalidInputError([{ path: ['file'], message, code: 'TOO_LARGE' }]);
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const expected = {
    ...emptyUpload,
    owner,
    kind: 'AUDIO',
    contentType: 'audio/wav',
    size: bytes.byteLength,
  } as const;
  const transferred = await transferBytes(deps, expected, bytes);
  const now = deps.now();
  const upload: Upload = {
    ...emptyUpload,
    ...transferred,
    ...origin,
    id: randomUUID(),
    owner,
    kind: 'AUDIO',
    state: 'READY',
    filename: cleanFilename(file.name),
    createdAt: now,
    // This upload never had a URL.
    expiresAt: now,
  };
  await insertTraced(deps, upload, (traced) => insertUpload(deps.db, traced));
  return upload;
}

async function transferBytes(
  deps: TransferDependencies,
  expected: Parameters<typeof transferFile>[1],
  bytes: Uint8Array,
) {
  const body = (async function* () {
    if (bytes.byteLength > 0) yield bytes;
  })();
  try {
    const { signal } = new AbortController();
    return await transferFile(deps, expected, { body, signal });
  } catch (thrown) {
    throw thrown instanceof UploadRejection ? atFileArgument(thrown) : thrown;
  }
}

/** Issues of the upstream refer to its own input; here the input is the argument `file`. */
function atFileArgument({ failure }: UploadRejection) {
  return failure instanceof InvalidInputError
    ? new InvalidInputError(failure.issues.map((issue) => ({ ...issue, path: ['file'] })))
    : failure;
}
