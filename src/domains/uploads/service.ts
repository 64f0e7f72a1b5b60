import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { createSoundConverter } from '../../audio/sound-converter.ts';
import { checkInput } from '../../check-input.ts';
import { isUuid } from '../../database/uuid.ts';
import { InvalidInputError } from '../../errors.ts';
import { OwnerSlots } from '../../owner-slots.ts';
import { maxSoundSeconds } from './decoding.ts';
import type { UploadDependencies } from './dependencies.ts';
import { listContentTypes, maxUploadBytes, readContentType } from './media-types.ts';
import { type IncomingFile, isExpired, type Reception, receiveFile } from './receive.ts';
import { interruptedFailure, UploadRejection } from './rejection.ts';
import {
  expireWaiting,
  failReceiving,
  findUploads,
  insertUpload,
  type Upload,
  type UploadKind,
} from './store.ts';
import { type TransferDependencies, transferFile } from './transfer.ts';
import { checkWaiting, eraseUnused } from './unused.ts';

export type { IncomingFile, Reception } from './receive.ts';
export type { Interruption, RejectionReason } from './rejection.ts';
export type { Upload, UploadKind, UploadState } from './store.ts';

/** How long an upload URL can be used. */
const urlLifetimeMs = 3_600_000;
/** A file in a GraphQL multipart request is held in memory; larger files need an upload URL. */
const maxInlineBytes = 25 * 1024 ** 2;
const maxFilenameLength = 255;

/** An upload can take hours, holds a connection on both sides and about a hundred kilobytes. */
const defaultConcurrency = { all: 256, perOwner: 64 };

/** Each holds up to 256 MB on disk, and two at a time have a thread. */
const defaultDecodings = { all: 32, perOwner: 8 };

export type NewUpload = {
  kind: UploadKind;
  contentType: string;
  size?: number | null | undefined;
  filename?: string | null | undefined;
  /** The part of the sound that is used. */
  clip?: NewClip | null | undefined;
};

export type NewClip = {
  startSeconds?: number | null | undefined;
  durationSeconds?: number | null | undefined;
};

export type ReadyUpload = { path: string; kind: UploadKind; durationSeconds: number | null };

/** The used part of a web `File` that came within a GraphQL request. */
export type InlineFile = Pick<File, 'name' | 'size' | 'arrayBuffer'>;

/** The size limit of a file in bytes. */
export const maxFileBytes = maxUploadBytes;

export type UploadService = {
  /** Creates an upload and its URL. Nothing is sent upstream yet. @throws {InvalidInputError} {QuotaExceededError} */
  create(owner: string, input: NewUpload): Promise<{ upload: Upload; uploadUrl: string }>;
  /** Sends a small audio file on at once. @throws {InvalidInputError} and the upstream's failures */
  sendAudio(owner: string, file: InlineFile): Promise<Upload>;
  /** Receives the file for the upload of a token. Every rejection is a result. */
  receive(token: string, file: IncomingFile): Promise<Reception>;
  /** In the order of the keys, null for uploads of other owners. One query; none for invalid keys. */
  findByKeys(owner: string, keys: readonly string[]): Promise<(Upload | null)[]>;
  /** An upload that a lip-sync can use; null if it is not READY or belongs to another owner. */
  findReady(owner: string, key: string): Promise<ReadyUpload | null>;
  /** Marks uploads whose URL expired unused. @returns their number */
  expireDue(): Promise<number>;
  /** Fails uploads without new bytes since `quietSince`, because their process has ended. @returns their number */
  failAbandoned(quietSince: Date): Promise<number>;
  /** Erases expired and failed uploads that were created before this moment. @returns their number */
  eraseUnused(createdBefore: Date): Promise<number>;
};

export function createUploadService(deps: UploadDependencies): UploadService {
  const slots = new OwnerSlots(deps.concurrency ?? defaultConcurrency);
  const decoding = {
    converter: deps.converter ?? createSoundConverter(),
    slots: new OwnerSlots(deps.decodings ?? defaultDecodings),
  };
  return {
    create: (owner, input) => create(deps, owner, input),
    sendAudio: (owner, file) => sendAudio({ ...deps, decoding }, owner, file),
    receive: (token, file) =>
      receiveFile({ ...deps, slots, decoding }, readToken(deps, token), file),
    findByKeys: (owner, keys) => findByKeys(deps, owner, keys),
    async findReady(owner, key) {
      const [upload] = await findByKeys(deps, owner, [key]);
      if (upload?.state !== 'READY' || upload.path === null) return null;
      const { path, kind, durationSeconds } = upload;
      return { path, kind, durationSeconds };
    },
    expireDue: () => expireWaiting(deps.db, deps.now()),
    failAbandoned: (quietSince) => failReceiving(deps.db, quietSince, interruptedFailure),
    eraseUnused: (createdBefore) => eraseUnused(deps.db, createdBefore),
  };
}

/** A day: longer than any file that is decoded. */
const maxClipStartSeconds = 86_400;
const minClipSeconds = 0.1;
const clipDurationMessage = `durationSeconds must be between ${minClipSeconds} and ${maxSoundSeconds}.`;

const sizeMessage = 'size must be between 1 byte and 5 GB.';

/** `contentType` becomes the name that the upstream uses. */
function inputShape(kind: UploadKind) {
  return z.object({
    contentType: z.string().transform((declared, context) => {
      const contentType = readContentType(kind, declared);
      if (contentType !== null) return contentType;
      const message = `contentType must be one of ${listContentTypes(kind)}.`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }),
    size: z.coerce.number().min(1, sizeMessage).max(maxUploadBytes, sizeMessage).nullish(),
    filename: z
      .string()
      .refine((name) => !hasControlCharacters(name), {
        message: 'filename must not contain control characters.',
        abort: true,
      })
      .refine((name) => name !== '' && [...name].length <= maxFilenameLength, {
        message: `filename must have 1 to ${maxFilenameLength} characters.`,
      })
      .nullish(),
    clip: (kind === 'AUDIO' ? clipShape : noClip).nullish(),
  });
}

const noClip = z.custom<NewClip>(() => false, 'clip is for audio only.');

const clipShape = z.object({
  startSeconds: z
    .number()
    .min(0, 'startSeconds must not be negative.')
    .max(maxClipStartSeconds, 'startSeconds must be at most 86400.')
    .nullish(),
  durationSeconds: z
    .number()
    .min(minClipSeconds, clipDurationMessage)
    .max(maxSoundSeconds, clipDurationMessage)
    .nullish(),
});

async function create(deps: UploadDependencies, owner: string, input: NewUpload) {
  const { contentType, size, filename, clip } = checkInput(inputShape(input.kind), input);
  const createdAt = deps.now();
  await checkWaiting(deps, owner, new Date(createdAt.getTime() - urlLifetimeMs));
  const upload: Upload = {
    ...emptyUpload,
    id: randomUUID(),
    owner,
    kind: input.kind,
    state: 'WAITING',
    contentType,
    size: size ?? null,
    filename: filename ?? null,
    ...toClip(clip),
    createdAt,
    expiresAt: new Date(createdAt.getTime() + urlLifetimeMs),
  };
  await insertUpload(deps.db, upload);
  const token = deps.tokens.sign(upload.id, upload.expiresAt);
  return { upload, uploadUrl: `${deps.publicUrl()}/uploads/${token}` };
}

/** An empty clip begins at zero, and is cut at the limit. */
function toClip(clip: NewClip | null | undefined) {
  return {
    clipStartSeconds: clip?.startSeconds ?? (clip ? 0 : null),
    clipDurationSeconds: clip?.durationSeconds ?? null,
  };
}

const emptyUpload = {
  durationSeconds: null,
  storedContentType: null,
  clipStartSeconds: null,
  clipDurationSeconds: null,
  failure: null,
  path: null,
  receivingAt: null,
};

/** Lone surrogates count too, because the database rejects them. */
function hasControlCharacters(text: string): boolean {
  return /\p{Cc}/u.test(text) || !text.isWellFormed();
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
  owner: string,
  keys: readonly string[],
): Promise<(Upload | null)[]> {
  const ids = keys.filter(isUuid);
  const found = ids.length === 0 ? [] : await findUploads(deps.db, owner, ids);
  const now = deps.now();
  const byId = new Map(found.map((upload) => [upload.id, applyExpiry(upload, now)]));
  return keys.map((key) => byId.get(key) ?? null);
}

/** Shows an expired upload as EXPIRED, even before its row is marked. */
function applyExpiry(upload: Upload, now: Date): Upload {
  return isExpired(upload, now) ? { ...upload, state: 'EXPIRED' } : upload;
}

async function sendAudio(
  deps: TransferDependencies,
  owner: string,
  file: InlineFile,
): Promise<Upload> {
  if (file.size > maxInlineBytes) {
    const message = 'The file is larger than 25 MB. Use createUpload, which takes up to 5 GB.';
    throw new InvalidInputError([{ path: ['file'], message }]);
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
    id: randomUUID(),
    owner,
    kind: 'AUDIO',
    state: 'READY',
    filename: cleanFilename(file.name),
    createdAt: now,
    // This upload never had a URL.
    expiresAt: now,
  };
  await insertUpload(deps.db, upload);
  return upload;
}

/** The name comes from the client's file system, so an invalid one is corrected instead of rejected. */
function cleanFilename(name: string): string | null {
  const cleaned = [...name.toWellFormed().replace(/\p{Cc}/gu, '')]
    .slice(0, maxFilenameLength)
    .join('');
  return cleaned === '' ? null : cleaned;
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
    ? new InvalidInputError(failure.issues.map(({ message }) => ({ path: ['file'], message })))
    : failure;
}
