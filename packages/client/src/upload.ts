import type { FutureError, LipsyncFailure } from './answer.ts';
import { ask, defaultTimeoutMs } from './ask.ts';
import { createUploadDocument } from './documents.ts';
import { LipsyncConnectionError, LipsyncRequestError } from './errors.ts';
import {
  type CreateUploadMutation,
  knownCreateUploadResults,
  type UploadKind,
} from './operations.ts';
import { type OnProgress, type PutAnswer, put } from './put.ts';
import type { LipsyncServer } from './server.ts';
import { createWatchdog } from './transport.ts';

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
  const answer = await ask(server, {
    document: createUploadDocument,
    variables: {
      input: { kind, contentType, filename, size },
    },
    known: knownCreateUploadResults,
    signal,
  });
  if (answer.__typename !== 'CreateUploadSuccess') return answer;
  const stalling = new AbortController();
  const watchdog = createWatchdog(server.timeoutMs ?? defaultTimeoutMs, () =>
    stalling.abort(new Error('Nothing is sent any more, and no answer comes.')),
  );
  watchdog.touch();
  const tell: OnProgress = (progress) => {
    watchdog.touch();
    onProgress?.(progress);
  };
  const signals = signal === undefined ? [stalling.signal] : [stalling.signal, signal];
  try {
    const options = { size, onProgress: tell, signal: AbortSignal.any(signals) };
    return read(await put(answer.uploadUrl, file, options));
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof LipsyncRequestError) throw error;
    throw new LipsyncConnectionError('The file could not be sent.', { cause: error });
  } finally {
    watchdog.stop();
  }
}

/** Of a request that came late, of too many, and of a server that stops or can't: not of a file that is wrong. */
const passing = [408, 429, 503];

function read({ status, text, retryAfter }: PutAnswer): UploadAnswer {
  const told = parse(text, status);
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

type Told = { id: string; durationSeconds: number | null; code: string; message: string };

/** What is no JSON is from a proxy: one that takes no file of that size will take it the next time as little. */
function parse(text: string, status: number): Told {
  try {
    return JSON.parse(text) as Told;
  } catch (error) {
    if (status < 400 || status >= 500 || passing.includes(status)) throw error;
    throw new LipsyncRequestError(`The server answers ${status}.`);
  }
}
