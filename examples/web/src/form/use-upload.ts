import { type UploadKind, uploadFile } from 'lipsync-graphql-client';
import { useEffect, useRef, useState } from 'react';
import { useSession } from '../session/session.tsx';
import { explain, explainThrown } from '../text/explain.ts';
import type { Words } from '../text/notices.ts';

export type Uploading =
  | { kind: 'IDLE' }
  | { kind: 'SENDING'; name: string; percent: number }
  | { kind: 'FAILED'; words: Words; file: File };

type Sent = { uploadId: string; name: string; seconds: number | null };

/** Sends one file at a time; another one, or leaving, ends the one before. */
export function useUpload(kind: UploadKind, onSent: (sent: Sent) => void) {
  const { server } = useSession();
  const [uploading, setUploading] = useState<Uploading>({ kind: 'IDLE' });
  const sending = useRef<AbortController | null>(null);
  useEffect(() => () => sending.current?.abort(), []);

  const send = async (file: File) => {
    const abort = new AbortController();
    sending.current?.abort();
    sending.current = abort;
    const { name, size } = file;
    setUploading({ kind: 'SENDING', name, percent: 0 });
    try {
      const answer = await uploadFile(server, file, {
        kind,
        signal: abort.signal,
        onProgress: ({ sentBytes }) =>
          setUploading({ kind: 'SENDING', name, percent: (100 * sentBytes) / size }),
      });
      if (answer.__typename !== 'UploadReady') {
        return setUploading({ kind: 'FAILED', words: explain(answer), file });
      }
      setUploading({ kind: 'IDLE' });
      onSent({ uploadId: answer.id, name, seconds: answer.durationSeconds });
    } catch (error) {
      if (abort.signal.aborted || !(error instanceof Error)) return;
      setUploading({ kind: 'FAILED', words: explainThrown(error), file });
    }
  };

  return {
    uploading,
    send: (file: File) => void send(file),
    fail: (words: Words, file: File) => setUploading({ kind: 'FAILED', words, file }),
    stop: () => {
      sending.current?.abort();
      setUploading({ kind: 'IDLE' });
    },
  };
}
