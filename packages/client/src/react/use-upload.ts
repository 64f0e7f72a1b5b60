import { useSyncExternalStore } from 'react';
import type { UploadAnswer, UploadOptions } from '../uploads/upload.ts';
import { useStoreOfServer } from './provider.ts';
import {
  createUploadStore,
  readNoUpload,
  type UploadSource,
  type UploadState,
} from './upload-store.ts';

/** What `useUpload` returns. */
export type Uploader<Source extends UploadSource> = {
  /** By `kind`: the upload as it is at the moment. */
  state: UploadState<Source>;
  /**
   * Uploads a file. While another is being uploaded, that one is aborted; a second call with the same file changes
   * nothing. The promise is for what happens once. It is null after an error or `cancel`, and never rejects.
   */
  upload: (file: Source, options: Omit<UploadOptions, 'signal'>) => Promise<UploadAnswer | null>;
  /** Aborts the upload. The state is `IDLE` then. */
  cancel: () => void;
  /** Back to `IDLE`, from any state. */
  reset: () => void;
};

/**
 * Uploads one file at a time, with its progress. Unmounting aborts an upload that is not complete, because its answer
 * would have no receiver; it does not change one that is.
 *
 *     const { state, upload } = useUpload();
 *     <input type="file" onChange={({ target }) => upload(target.files[0], { kind: 'AUDIO' })} />
 *     {state.kind === 'UPLOADING' && <progress value={state.percent} max={100} />}
 */
export function useUpload<Source extends UploadSource = File>(): Uploader<Source> {
  const store = useStoreOfServer(createUploadStore<Source>);
  const state = useSyncExternalStore<UploadState<Source>>(
    store.subscribe,
    store.read,
    readNoUpload,
  );
  return { state, upload: store.upload, cancel: store.clear, reset: store.clear };
}
