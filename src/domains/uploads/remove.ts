import type { Database } from '../../database/connect.ts';
import { isUuid } from '../../database/uuid.ts';
import { InvalidInputError, NotFoundError } from '../../errors.ts';
import { deleteUploadRow, lockUpload } from './store.ts';

/**
 * Deletes the row of an upload. The file stays at the upstream, which has no way to delete one.
 *
 * @throws {NotFoundError} also for a repeated request {InvalidInputError} while the file arrives or a lip-sync waits to be
 * sent with it
 */
export async function removeUpload(
  db: Database,
  { owner, id }: { owner: string; id: string },
): Promise<void> {
  if (!isUuid(id)) throw new NotFoundError('The upload');
  await db.transaction(async (tx) => {
    const upload = await lockUpload(tx, { owner, id });
    if (upload === null) throw new NotFoundError('The upload');
    if (upload.state === 'RECEIVING') throw invalid('The file is still arriving.');
    if (upload.isWaitedFor) {
      throw invalid('A lip-sync waits to be sent with this upload. Cancel the lip-sync first.');
    }
    await deleteUploadRow(tx, id);
  });
}

function invalid(message: string): InvalidInputError {
  return new InvalidInputError([{ path: ['input', 'id'], message, code: 'WRONG_STATUS' }]);
}
