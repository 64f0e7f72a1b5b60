import { delayAfter, joinSignals } from '../back-off.ts';
import { createUploadDocument } from '../documents.ts';
import { LipsyncConnectionError, LipsyncRequestError } from '../errors.ts';
import { defaultTimeoutMs, executeWithRetry, messageOf } from '../execute.ts';
import {
  type CreateUploadInput,
  type CreateUploadMutation,
  knownCreateUploadResults,
  type UploadKind,
} from '../operations.ts';
import type { FutureError, LipsyncFailure } from '../result.ts';
import { type LipsyncServer, waitToRetry } from '../server.ts';
import { createWatchdog } from '../streams/transport.ts';
import { type OnProgress, type PutAnswer, put } from './put.ts';

/** What the file is, and how its upload is followed. */
export type UploadOptions = {
  /** `AUDIO` is the speech, and `VIDEO` the source video. */
  kind: UploadKind;
  /** Such as `audio/mpeg`. Default: the type of the file. */
  contentType?: string | undefined;
  /** The caller's name for it. Default: the name of the file. */
  filename?: string | undefined;
  /** In bytes. Only a stream needs it. */
  size?: number | undefined;
  /** Of audio: the part that is used. A file of more than 60 seconds needs it. */
  clip?: CreateUploadInput['clip'] | undefined;
  /** Called while the bytes are sent. */
  onProgress?: OnProgress | undefined;
  /** Aborts the upload. What has arrived is discarded. */
  signal?: AbortSignal | undefined;
};

/** By `__typename`. */
export type UploadAnswer =
  /** Pass the id to `createLipsync` as the `uploadId` of its `video` or `speech`. */
  | { __typename: 'UploadReady'; id: string; durationSeconds: number | null }
  /**
   * The server refused the file. `retryable`: another call with the same file may succeed. `issueCode`: what is wrong with
   * the file, such as `WRONG_KIND`, or `TOO_LONG` for audio that needs a `clip`.
   */
  | (Omit<LipsyncFailure, 'code'> & {
      __typename: 'UploadRefused';
      code: string;
      issueCode: string | null;
    })
  | Exclude<CreateUploadMutation['answer'], { __typename: 'CreateUploadSuccess' }>
  | FutureError;

/**
 * Uploads a file of any size. After a broken connection there is no retry: call again to start over. While the server is
 * temporarily unavailable, a file is sent again as a new upload; a stream cannot be sent twice.
 *
 * @throws LipsyncConnectionError, LipsyncServerError, LipsyncRequestError, or the signal's reason
 */
export async function uploadFile(
  server: LipsyncServer,
  file: Blob | ReadableStream<Uint8Array<ArrayBuffer>>,
  options: UploadOptions,
): Promise<UploadAnswer> {
  const { attempts = 5 } = server.backOff ?? {};
  const { signal = joinSignals() } = options;
  for (let failures = 1; ; failures += 1) {
    const answer = await uploadOnce(server, file, options);
    const isUnavailable =
      answer.__typename === 'UploadRefused' && answer.code === 'TEMPORARILY_UNAVAILABLE';
    if (!isUnavailable || !(file instanceof Blob) || failures >= attempts) return answer;
    const minMs = 1_000 * (answer.retryAfterSeconds ?? 0);
    const delayMs = Math.max(delayAfter(failures, server.backOff), minMs);
    const retry = { document: createUploadDocument, failures, delayMs, error: answer };
    await waitToRetry(server, retry, signal);
  }
}

async function uploadOnce(
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
  const answer = await executeWithRetry(server, {
    document: createUploadDocument,
    variables: {
      input: { ...options, kind, contentType, filename, size },
    },
    known: knownCreateUploadResults,
    signal,
  });
  if (answer.__typename !== 'CreateUploadSuccess') return answer;
  const stalling = new AbortController();
  const watchdog = createWatchdog(server.timeoutMs ?? defaultTimeoutMs, () =>
    stalling.abort(new Error('The upload stalled.')),
  );
  watchdog.reset();
  const reportProgress: OnProgress = (progress) => {
    watchdog.reset();
    onProgress?.(progress);
  };
  try {
    const options = {
      size,
      onProgress: reportProgress,
      signal: joinSignals(stalling.signal, signal),
    };
    return readResponse(await put(answer.uploadUrl, file, options));
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof LipsyncRequestError) throw error;
    throw new LipsyncConnectionError('The file could not be sent.', { cause: error });
  } finally {
    watchdog.stop();
  }
}

/** Timeout, rate limit and overload: the file itself is not at fault. */
const retryableStatuses = [408, 429, 503];

function readResponse({ status, text, retryAfter }: PutAnswer): UploadAnswer {
  const { id, durationSeconds, code, message, issueCode = null } = parseBody(text, status);
  if (status === 200) return { __typename: 'UploadReady', id, durationSeconds };
  return {
    __typename: 'UploadRefused',
    code,
    message,
    issueCode,
    retryable: retryableStatuses.includes(status) || code === 'UPSTREAM_UNAVAILABLE',
    // A proxy may send a date, which is no number.
    retryAfterSeconds: Number(retryAfter) || null,
  };
}

type ResponseBody = {
  id: string;
  durationSeconds: number | null;
  code: string;
  message: string;
  issueCode?: string;
};

/**
 * A body that is not JSON, or has neither an id nor a code, comes from a proxy. Most 4xx statuses of a proxy, such as 413,
 * would repeat on a retry.
 */
function parseBody(text: string, status: number): ResponseBody {
  try {
    const body = JSON.parse(text) as ResponseBody;
    if (typeof body[status === 200 ? 'id' : 'code'] === 'string') return body;
  } catch {
    // HTML of a proxy.
  }
  const wouldRepeat = status >= 400 && status < 500 && !retryableStatuses.includes(status);
  throw new (wouldRepeat ? LipsyncRequestError : Error)(messageOf({ status }));
}
