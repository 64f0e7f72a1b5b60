import type { ImportUploadAnswer } from 'lipsync-graphql-client';
import { explainRefusal } from '../text/explain.ts';
import type { Notice } from '../text/notices.ts';
import type { ArrivingUpload } from './use-arriving-upload.ts';

type ImportRefusal = Exclude<ImportUploadAnswer, { __typename: 'ImportUploadSuccess' }>;

/** Why the server does not fetch the file. */
export function explainImportRefusal(refusal: ImportRefusal): Notice {
  if (refusal.__typename !== 'InvalidInputError') return explainRefusal(refusal);
  return {
    title: 'The URL cannot be used',
    advice: 'Correct it, or choose a file.',
    step: 'NOTHING',
    details: refusal.issues.map(({ message }) => message),
  };
}

/** Why the file did not arrive. Null: its upload was deleted. */
export function explainFailedImport(upload: ArrivingUpload | null): Notice {
  const notice = {
    title: 'The file could not be fetched',
    advice: 'Nothing was charged. Check the URL and try again, or choose a file.',
    step: 'TRY_AGAIN',
  } as const;
  const failure = upload?.failure ?? null;
  if (failure === null) return notice;
  const details =
    failure.__typename === 'InvalidInputError'
      ? failure.issues.map(({ message }) => message)
      : [failure.message];
  return { ...notice, details };
}

/** The sound has more than 60 seconds: a part of it must be chosen. */
export function isTooLong(upload: ArrivingUpload | null): boolean {
  const failure = upload?.failure;
  return (
    failure?.__typename === 'InvalidInputError' &&
    failure.issues.some(({ code }) => code === 'TOO_LONG')
  );
}
