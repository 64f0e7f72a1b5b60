import { randomUUID } from 'node:crypto';
import { isUuid } from '../../database/uuid.ts';
import { type InputIssue, InvalidInputError } from '../../errors.ts';
import type { UploadEngine } from './engine.ts';
import { listContentTypes, maxUploadBytes, readContentType } from './inspect.ts';
import { type IncomingFile, isOverdue, type Reception, receiveFile } from './receive.ts';
import { interruptedFailure, Refusal } from './refusal.ts';
import {
  expireWaiting,
  failReceiving,
  findUploads,
  insertUpload,
  type Upload,
  type UploadKind,
} from './store.ts';
import { transferFile } from './transfer.ts';

export type { IncomingFile, Reception } from './receive.ts';
export type { Interruption, RefusalReason } from './refusal.ts';
export type { Upload, UploadKind, UploadState } from './store.ts';

/** How long an upload URL can be used. */
const urlLifeMs = 3_600_000;
/** GraphQL multipart is held in memory; whatever is larger goes by its own URL. */
const maxWholeBytes = 25 * 1024 ** 2;
const maxFilenameLength = 255;

export type NewUpload = {
  kind: UploadKind;
  contentType: string;
  size?: number | null | undefined;
  filename?: string | null | undefined;
};

export type ReadyUpload = { path: string; kind: UploadKind; durationSeconds: number | null };

/** What of a web `File` is used. */
export type WholeFile = Pick<File, 'name' | 'size' | 'arrayBuffer'>;

export type UploadService = {
  /** Promises to take a file. Nothing is sent upstream yet. @throws {InvalidInputError} */
  create(owner: string, input: NewUpload): Promise<{ upload: Upload; uploadUrl: string }>;
  /** Sends a small audio file on at once. @throws {InvalidInputError} and what the upstream's failures are */
  sendAudio(owner: string, file: WholeFile): Promise<Upload>;
  /** Takes the file for which a token was given out. Every refusal is an outcome. */
  receive(token: string, file: IncomingFile): Promise<Reception>;
  /** In the order of the keys, null for what is not this owner's. One query; none for keys that cannot exist. */
  findByKeys(owner: string, keys: readonly string[]): Promise<(Upload | null)[]>;
  /** What a lip-sync can be made of; null for everything else, and for what is not this owner's. */
  findReady(owner: string, key: string): Promise<ReadyUpload | null>;
  /** Marks those that waited in vain. @returns how many */
  expireDue(): Promise<number>;
  /** Gives up uploads for which nothing has arrived since then: their process is gone. @returns how many */
  failAbandoned(quietSince: Date): Promise<number>;
};

export function createUploadService(engine: UploadEngine): UploadService {
  return {
    create: (owner, input) => create(engine, owner, input),
    sendAudio: (owner, file) => sendAudio(engine, owner, file),
    receive: (token, file) => receiveFile(engine, readToken(engine, token), file),
    findByKeys: (owner, keys) => findByKeys(engine, owner, keys),
    async findReady(owner, key) {
      const [upload] = await findByKeys(engine, owner, [key]);
      if (upload?.state !== 'READY' || upload.path === null) return null;
      const { path, kind, durationSeconds } = upload;
      return { path, kind, durationSeconds };
    },
    expireDue: () => expireWaiting(engine.db, engine.now()),
    failAbandoned: (quietSince) => failReceiving(engine.db, quietSince, interruptedFailure),
  };
}

async function create(engine: UploadEngine, owner: string, input: NewUpload) {
  const contentType = readContentType(input.kind, input.contentType);
  const issues = [
    ...(contentType === null ? [contentTypeIssue(input.kind)] : []),
    ...findSizeIssues(input.size),
    ...findFilenameIssues(input.filename),
  ];
  if (contentType === null || issues.length > 0) throw new InvalidInputError(issues);
  const { kind, filename, size } = input;
  const createdAt = engine.now();
  const upload: Upload = {
    ...emptyUpload,
    id: randomUUID(),
    owner,
    kind,
    state: 'WAITING',
    contentType,
    size: size === null || size === undefined ? null : Number(size),
    filename: filename ?? null,
    createdAt,
    expiresAt: new Date(createdAt.getTime() + urlLifeMs),
  };
  await insertUpload(engine.db, upload);
  const token = engine.tokens.sign(upload.id, upload.expiresAt);
  return { upload, uploadUrl: `${engine.publicUrl()}/uploads/${token}` };
}

const emptyUpload = { durationSeconds: null, failure: null, path: null, receivingAt: null };

function issue(path: string[], message: string): InputIssue {
  return { path, message };
}

function contentTypeIssue(kind: UploadKind): InputIssue {
  const accepted = listContentTypes(kind);
  return issue(['input', 'contentType'], `contentType must be one of ${accepted}.`);
}

function findSizeIssues(size: NewUpload['size']): InputIssue[] {
  const isFine =
    size === null || size === undefined || (Number(size) >= 1 && Number(size) <= maxUploadBytes);
  return isFine ? [] : [issue(['input', 'size'], 'size must be between 1 byte and 5 GB.')];
}

function findFilenameIssues(filename: NewUpload['filename']): InputIssue[] {
  const path = ['input', 'filename'];
  if (filename === null || filename === undefined) return [];
  if (hasControls(filename)) return [issue(path, 'filename must not hold control characters.')];
  const isFine = filename.length >= 1 && [...filename].length <= maxFilenameLength;
  return isFine ? [] : [issue(path, `filename must have 1 to ${maxFilenameLength} characters.`)];
}

/** Lone surrogates too: no database takes them. */
function hasControls(text: string): boolean {
  return /\p{Cc}/u.test(text) || !text.isWellFormed();
}

/**
 * The upload that a token was made for, or null. Its expiry is not looked at here: the row has it too, and a URL that was
 * real once is told that it has expired.
 */
function readToken(engine: UploadEngine, token: string): string | null {
  const id = engine.tokens.readId(token);
  return id !== null && isUuid(id) ? id : null;
}

async function findByKeys(
  engine: UploadEngine,
  owner: string,
  keys: readonly string[],
): Promise<(Upload | null)[]> {
  const ids = keys.filter(isUuid);
  const found = ids.length === 0 ? [] : await findUploads(engine.db, owner, ids);
  const now = engine.now();
  const byId = new Map(found.map((upload) => [upload.id, asOf(upload, now)]));
  return keys.map((key) => byId.get(key) ?? null);
}

/** Whether an upload has expired does not depend on when somebody marks its row. */
function asOf(upload: Upload, now: Date): Upload {
  return isOverdue(upload, now) ? { ...upload, state: 'EXPIRED' } : upload;
}

async function sendAudio(engine: UploadEngine, owner: string, file: WholeFile): Promise<Upload> {
  if (file.size > maxWholeBytes) {
    throw new InvalidInputError([
      issue(['file'], 'The file is larger than 25 MB. Use createUpload, which takes up to 5 GB.'),
    ]);
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const expected = { kind: 'AUDIO', contentType: 'audio/wav', size: bytes.byteLength } as const;
  const arrival = await transferWhole(engine, expected, bytes);
  const now = engine.now();
  const upload: Upload = {
    ...emptyUpload,
    ...arrival,
    id: randomUUID(),
    owner,
    kind: 'AUDIO',
    state: 'READY',
    filename: tidyFilename(file.name),
    createdAt: now,
    // There never was a URL.
    expiresAt: now,
  };
  await insertUpload(engine.db, upload);
  return upload;
}

/** Here nobody typed the name: a bad one is no reason to refuse the file. */
function tidyFilename(name: string): string | null {
  const tidy = [...name.toWellFormed().replace(/\p{Cc}/gu, '')]
    .slice(0, maxFilenameLength)
    .join('');
  return tidy === '' ? null : tidy;
}

async function transferWhole(
  engine: UploadEngine,
  expected: Pick<Upload, 'kind' | 'contentType' | 'size'>,
  bytes: Uint8Array,
) {
  const body = (async function* () {
    if (bytes.byteLength > 0) yield bytes;
  })();
  try {
    const { signal } = new AbortController();
    return await transferFile(engine, expected, { body, signal });
  } catch (thrown) {
    throw thrown instanceof Refusal ? atFile(thrown) : thrown;
  }
}

/** The upstream speaks of its own input; here the input is the file. */
function atFile({ failure }: Refusal) {
  return failure instanceof InvalidInputError
    ? new InvalidInputError(failure.issues.map(({ message }) => issue(['file'], message)))
    : failure;
}
