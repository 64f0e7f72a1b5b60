import type { FutureError, LipsyncFailure } from './answer.ts';
import { ask } from './ask.ts';
import { createUploadDocument } from './documents.ts';
import { LipsyncConnectionError } from './errors.ts';
import {
  type CreateUploadMutation,
  type CreateUploadMutationVariables,
  knownCreateUploadResults,
  type UploadKind,
} from './operations.ts';
import { type OnProgress, type PutAnswer, put } from './put.ts';
import type { LipsyncServer } from './server.ts';

export type UploadOptions = {
  kind: UploadKind;
  /** Such as `audio/mpeg`. Default: that of the file. */
  contentType?: string | undefined;
  /** The caller's own name for it. Default: that of the file. */
  filename?: string | undefined;
  /** In bytes, of a stream; a file knows its own. */
  size?: number | undefined;
  onProgress?: OnProgress | undefined;
  signal?: AbortSignal | undefined;
};

/** By `__typename`. */
export type UploadAnswer =
  /** Its id is an `uploadId` or `audioUploadId` of `createLipsync`. */
  | { __typename: 'UploadReady'; id: string; durationSeconds: number | null }
  /** The file itself was refused. `retryable`: sending it once more, by another upload, may succeed. */
  | (Omit<LipsyncFailure, 'code'> & { __typename: 'UploadRefused'; code: string })
  | Exclude<CreateUploadMutation['answer'], { __typename: 'CreateUploadSuccess' }>
  | FutureError;

/**
 * Sends a file of any size. It is sent once: where the connection breaks on the way, another call begins from the
 * start, and a stream can't.
 *
 * @throws LipsyncConnectionError, LipsyncRequestError, or the signal's reason
 */
export async function uploadFile(
  server: LipsyncServer,
  file: Blob | ReadableStream<Uint8Array<ArrayBuffer>>,
  { kind, onProgress, signal, ...options }: UploadOptions,
): Promise<UploadAnswer> {
  const known: { type?: string; name?: string; size?: number } = file instanceof Blob ? file : {};
  const {
    contentType = known.type || 'application/octet-stream',
    filename = known.name,
    size = known.size,
  } = options;
  const answer = await ask<CreateUploadMutation['answer']>(server, {
    query: createUploadDocument,
    variables: {
      input: { kind, contentType, filename, size },
    } satisfies CreateUploadMutationVariables,
    known: knownCreateUploadResults,
    signal,
  });
  if (answer.__typename !== 'CreateUploadSuccess') return answer;
  try {
    return read(await put(answer.uploadUrl, file, { size, onProgress, signal }));
  } catch (error) {
    signal?.throwIfAborted();
    throw new LipsyncConnectionError('The file could not be sent.', { cause: error });
  }
}

/** Of a request that came late, of too many, and of a server that stops or can't: not of a file that is wrong. */
const passing = [408, 429, 503];

function read({ status, text, retryAfter }: PutAnswer): UploadAnswer {
  const told = JSON.parse(text) as { id: string; durationSeconds: number | null } & {
    code: string;
    message: string;
  };
  if (status === 200) {
    const { id, durationSeconds } = told;
    return { __typename: 'UploadReady', id, durationSeconds };
  }
  const { code, message } = told;
  return {
    __typename: 'UploadRefused',
    code,
    message,
    retryable: passing.includes(status) || code === 'UPSTREAM_UNAVAILABLE',
    retryAfterSeconds: retryAfter === null ? null : Number(retryAfter),
  };
}
