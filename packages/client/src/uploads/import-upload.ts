import { importUploadDocument } from '../documents.ts';
import { executeWithRetry } from '../execute.ts';
import {
  type ImportUploadInput,
  type ImportUploadMutation,
  knownImportUploadResults,
} from '../operations.ts';
import type { FutureError, QuotaExceededError } from '../result.ts';
import type { LipsyncServer } from '../server.ts';

/** By `__typename`. */
export type ImportUploadAnswer = ImportUploadMutation['answer'] | QuotaExceededError | FutureError;

/**
 * Makes an upload from a URL, which the server fetches in the background. Its id can be used at once: a lip-sync waits for
 * the file. If a first answer was lost, the file may be fetched twice, into two uploads.
 *
 * @throws LipsyncConnectionError, LipsyncServerError, LipsyncRequestError, or the signal's reason
 */
export function importUpload(
  server: LipsyncServer,
  input: ImportUploadInput,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ImportUploadAnswer> {
  return executeWithRetry(server, {
    document: importUploadDocument,
    variables: { input },
    known: knownImportUploadResults,
    signal,
  });
}
