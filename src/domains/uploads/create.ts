import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { checkInput } from '../../check-input.ts';
import type { Origin } from '../../tracing/tracer.ts';
import type { UploadDependencies } from './dependencies.ts';
import { filenameShape } from './filename.ts';
import { listContentTypes, maxUploadBytes, readContentType } from './media-types.ts';
import { maxSoundSeconds } from './sound/decoding.ts';
import { insertTraced } from './spans.ts';
import { insertUpload, type Upload, type UploadKind } from './store.ts';
import { checkWaiting } from './unused.ts';

/** How long an upload URL can be used. */
const urlLifetimeMs = 3_600_000;
export type NewUpload = {
  kind: UploadKind;
  contentType: string;
  size?: number | null | undefined;
  filename?: string | null | undefined;
  /** The part of the sound that is used. */
  clip?: NewClip | null | undefined;
};

/** The request that creates the upload. */
export type Traced = { origin?: Origin };

export type NewClip = {
  startSeconds?: number | null | undefined;
  durationSeconds?: number | null | undefined;
};

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
      context.addIssue({ code: 'custom', message, params: { issueCode: 'WRONG_KIND' } });
      return z.NEVER;
    }),
    size: z.coerce.number().min(1, sizeMessage).max(maxUploadBytes, sizeMessage).nullish(),
    filename: filenameShape,
    clip: clipShapeOf(kind),
  });
}

/** The part of a sound that is used. */
export function clipShapeOf(kind: UploadKind) {
  return (kind === 'AUDIO' ? clipShape : noClip).nullish();
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

/** Registers an upload, whose file arrives at an address of its own. */
export async function createUpload(
  deps: UploadDependencies,
  owner: string,
  input: NewUpload & Traced,
) {
  const { contentType, size, filename, clip } = checkInput(inputShape(input.kind), input);
  const createdAt = deps.now();
  await checkWaiting(deps, owner, new Date(createdAt.getTime() - urlLifetimeMs));
  const upload: Upload = {
    ...emptyUpload,
    ...input.origin,
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
  await insertTraced(deps, upload, (traced) => insertUpload(deps.db, traced));
  const token = deps.tokens.sign(upload.id, upload.expiresAt);
  return { upload, uploadUrl: `${deps.publicUrl()}/uploads/${token}` };
}

/** A clip without fields begins at zero, and is cut at the limit. */
export function toClip(clip: NewClip | null | undefined) {
  return {
    clipStartSeconds: clip?.startSeconds ?? (clip ? 0 : null),
    clipDurationSeconds: clip?.durationSeconds ?? null,
  };
}

export const emptyUpload = {
  durationSeconds: null,
  storedContentType: null,
  clipStartSeconds: null,
  clipDurationSeconds: null,
  failure: null,
  path: null,
  receivingAt: null,
  receivedBytes: null,
  sourceUrl: null,
  requestId: null,
  traceparent: null,
};
