import { type UploadKind, uploadFile } from 'lipsync-graphql-client';
import { useEffect, useRef, useState } from 'react';
import { useSession } from '../session/session.tsx';
import { explainError, explainRefusal } from '../text/explain.ts';
import type { Notice } from '../text/notices.ts';

type Uploaded = { uploadId: string; name: string; seconds: number | null };

export type UploadState =
  | { kind: 'IDLE' }
  | { kind: 'UPLOADING'; name: string; percent: number }
  | { kind: 'FAILED'; notice: Notice; file: File };

/** Uploads one file at a time. Another file, or unmounting, aborts the current upload. */
export function useUpload(kind: UploadKind, onUploaded: (uploaded: Uploaded) => void) {
  const { server } = useSession();
  const [state, setState] = useState<UploadState>({ kind: 'IDLE' });
  const upload = useRef<AbortController | null>(null);
  useEffect(() => () => upload.current?.abort(), []);

  const send = async (file: File) => {
    const abort = new AbortController();
    upload.current?.abort();
    upload.current = abort;
    const { name, size } = file;
    setState({ kind: 'UPLOADING', name, percent: 0 });
    try {
      const answer = await uploadFile(server, file, {
        kind,
        signal: abort.signal,
        onProgress: ({ sentBytes }) =>
          setState({ kind: 'UPLOADING', name, percent: (100 * sentBytes) / size }),
      });
      if (answer.__typename !== 'UploadReady') {
        return setState({ kind: 'FAILED', notice: explainRefusal(answer), file });
      }
      setState({ kind: 'IDLE' });
      onUploaded({ uploadId: answer.id, name, seconds: answer.durationSeconds });
    } catch (error) {
      if (abort.signal.aborted || !(error instanceof Error)) return;
      setState({ kind: 'FAILED', notice: explainError(error), file });
    }
  };

  return {
    state,
    send: (file: File) => void send(file),
    fail: (notice: Notice, file: File) => setState({ kind: 'FAILED', notice, file }),
    cancel: () => {
      upload.current?.abort();
      setState({ kind: 'IDLE' });
    },
  };
}
