import { type ImportUploadInput, importUpload, type UploadKind } from 'lipsync-graphql-client';
import { useEffect, useRef, useState } from 'react';
import { useSession } from '../session/session.tsx';
import { explainError } from '../text/explain.ts';
import type { Notice } from '../text/notices.ts';
import { explainFailedImport, explainImportRefusal } from './import-notice.ts';
import type { Clip } from './part.ts';
import { nameOfUrl } from './upload-name.ts';
import type { ArrivingUpload } from './use-arriving-upload.ts';

export type ImportState =
  | { kind: 'IDLE' }
  /** The server has not answered yet. */
  | { kind: 'ASKING' }
  | { kind: 'FAILED'; notice: Notice };

/** Has the server fetch a file from a URL. The upload can be used at once: a lip-sync waits for its file. */
export function useImport(
  kind: UploadKind,
  onStarted: (started: { uploadId: string; name: string }) => void,
) {
  const { server } = useSession();
  const [state, setState] = useState<ImportState>({ kind: 'IDLE' });
  const request = useRef<AbortController | null>(null);
  useEffect(() => () => request.current?.abort(), []);

  const start = async (input: Omit<ImportUploadInput, 'kind'>) => {
    const abort = new AbortController();
    request.current?.abort();
    request.current = abort;
    setState({ kind: 'ASKING' });
    try {
      const answer = await importUpload(server, { ...input, kind }, { signal: abort.signal });
      if (answer.__typename !== 'ImportUploadSuccess') {
        return setState({ kind: 'FAILED', notice: explainImportRefusal(answer) });
      }
      setState({ kind: 'IDLE' });
      onStarted({ uploadId: answer.upload.id, name: nameOfUrl(input.url) });
    } catch (error) {
      if (abort.signal.aborted || !(error instanceof Error)) return;
      setState({ kind: 'FAILED', notice: explainError(error) });
    }
  };

  return {
    state,
    start: (url: string, clip?: Clip) => void start({ url: url.trim(), clip }),
    fail: (upload: ArrivingUpload | null) =>
      setState({ kind: 'FAILED', notice: explainFailedImport(upload) }),
    reset: () => setState({ kind: 'IDLE' }),
  };
}
