import type { LipsyncServer } from '../server.ts';
import { type UploadAnswer, type UploadOptions, uploadFile } from '../uploads/upload.ts';
import { createStore, toError } from './store.ts';

/** What `useUpload` sends: a `File`, a `Blob` or a stream. */
export type UploadSource = Blob | ReadableStream<Uint8Array<ArrayBuffer>>;

/** Why the server did not accept the file. */
export type UploadRefusal = Exclude<UploadAnswer, { __typename: 'UploadReady' }>;

/** By `kind`: the upload as it is at the moment. */
export type UploadState<Source extends UploadSource = UploadSource> =
  | { kind: 'IDLE' }
  /** `percent`, 0 to 100, is null for a stream without a declared size. */
  | {
      kind: 'UPLOADING';
      file: Source;
      sentBytes: number;
      totalBytes: number | null;
      percent: number | null;
    }
  /** `id` is the `uploadId` of a lip-sync's `video` or `speech`. */
  | { kind: 'UPLOADED'; file: Source; id: string; durationSeconds: number | null }
  | { kind: 'REFUSED'; file: Source; failure: UploadRefusal }
  /** The connection was lost. Upload the file again. */
  | { kind: 'ERROR'; file: Source; error: Error };

const idle: UploadState<never> = { kind: 'IDLE' };

export function createUploadStore<Source extends UploadSource>(server: LipsyncServer) {
  let current: { file: Source; abort: AbortController; answer: Promise<UploadAnswer | null> };
  const clear = () => {
    current?.abort.abort();
    store.write(idle);
  };
  const store = createStore<UploadState<Source>>(idle, clear);

  const send = async (
    file: Source,
    { signal }: AbortController,
    options: Omit<UploadOptions, 'signal'>,
  ): Promise<UploadAnswer | null> => {
    const write = (state: UploadState<Source>) => {
      if (!signal.aborted) store.write(state);
    };
    try {
      const answer = await uploadFile(server, file, {
        ...options,
        signal,
        onProgress: (progress) => {
          write(uploading(file, progress.sentBytes, progress.totalBytes));
          options.onProgress?.(progress);
        },
      });
      write(stateOf(file, answer));
      return answer;
    } catch (error) {
      write({ kind: 'ERROR', file, error: toError(error) });
      return null;
    }
  };

  return {
    read: store.read,
    subscribe: store.subscribe,
    upload(file: Source, options: Omit<UploadOptions, 'signal'>): Promise<UploadAnswer | null> {
      if (store.read().kind === 'UPLOADING' && current.file === file) return current.answer;
      current?.abort.abort();
      const abort = new AbortController();
      store.write(uploading(file, 0, file instanceof Blob ? file.size : (options.size ?? null)));
      current = { file, abort, answer: send(file, abort, options) };
      return current.answer;
    },
    clear,
  };
}

export function readNoUpload(): UploadState<never> {
  return idle;
}

function uploading<Source extends UploadSource>(
  file: Source,
  sentBytes: number,
  totalBytes: number | null,
): UploadState<Source> {
  const percent = totalBytes === null ? null : (100 * sentBytes) / Math.max(totalBytes, 1);
  return { kind: 'UPLOADING', file, sentBytes, totalBytes, percent };
}

function stateOf<Source extends UploadSource>(
  file: Source,
  answer: UploadAnswer,
): UploadState<Source> {
  if (answer.__typename !== 'UploadReady') return { kind: 'REFUSED', file, failure: answer };
  const { id, durationSeconds } = answer;
  return { kind: 'UPLOADED', file, id, durationSeconds };
}
