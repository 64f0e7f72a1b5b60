import type { UploadKind } from 'lipsync-graphql-client';
import { type UploadState, useUpload } from 'lipsync-graphql-client/react';
import { useRef } from 'react';
import { explainError, explainRefusal } from '../text/explain.ts';
import type { Notice } from '../text/notices.ts';
import type { Clip } from './part.ts';

export type Uploaded = { uploadId: string; name: string; seconds: number | null };

/** A part may begin at the start, or go to the end. */
type Part = Partial<Clip>;

type Listeners = {
  onUploaded: (uploaded: Uploaded) => void;
  /** Audio of more than 60 seconds, of which no part was chosen. */
  onTooLong?: (file: File) => void;
};

/** The hook of the kit, with what this page sends and shows. */
export function useFileUpload(kind: UploadKind, { onUploaded, onTooLong }: Listeners) {
  const { state, upload, cancel } = useUpload();
  const lastPart = useRef<Part | undefined>(undefined);

  const send = async (file: File, clip?: Part) => {
    lastPart.current = clip;
    const answer = await upload(file, { kind, clip });
    if (answer?.__typename === 'UploadReady') {
      onUploaded({ uploadId: answer.id, name: file.name, seconds: answer.durationSeconds });
    }
    if (answer?.__typename === 'UploadRefused' && answer.issueCode === 'TOO_LONG') {
      onTooLong?.(file);
    }
  };

  return {
    state,
    notice: noticeOf(state),
    send: (file: File, clip?: Part) => void send(file, clip),
    retry: () => {
      if (state.kind !== 'IDLE') void send(state.file, lastPart.current);
    },
    cancel,
  };
}

export type FileUpload = ReturnType<typeof useFileUpload>;

function noticeOf(state: UploadState<File>): Notice | null {
  if (state.kind === 'ERROR') return explainError(state.error);
  if (state.kind !== 'REFUSED') return null;
  const { failure } = state;
  const isTooLong = failure.__typename === 'UploadRefused' && failure.issueCode === 'TOO_LONG';
  return isTooLong ? null : explainRefusal(failure);
}
