import type { Sql } from '../../../database/connect.ts';
import { NotFoundError } from '../../../errors.ts';
import { cancelLipsync } from '../cancel.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import type { LogWatcher } from '../progress/log-watcher.ts';
import { notifyChange } from '../store/events.ts';
import { videosOf } from '../store/lipsyncs.ts';
import { deleteLipsyncsOf, deleteRecordsOf, findUnfinishedOf } from '../store/owner.ts';

/** All data of an owner in this slice, for its erasure. */
export function createOwnerErasure(deps: LipsyncDependencies, watcher: LogWatcher) {
  return {
    /**
     * Cancels the owner's unfinished lip-syncs. Those that are being sent are waited for: a POST can't be undone. Running jobs
     * continue at the service and are charged.
     */
    async cancelAllOf(owner: string): Promise<void> {
      for (const id of await findUnfinishedOf(deps.db, owner)) {
        try {
          await cancelLipsync(deps, watcher, { owner, id });
        } catch (thrown) {
          // Rejected at once, and deleted.
          if (!(thrown instanceof NotFoundError)) throw thrown;
        }
      }
    },
    /** Erases at most `limit` finished lip-syncs of the owner in the caller's transaction. */
    async eraseBatchOf(
      tx: Sql,
      owner: string,
      limit: number,
    ): Promise<{ lipsyncs: number; events: number }> {
      const erased = await deleteLipsyncsOf(tx, owner, limit);
      await deps.videos.release(tx, erased.flatMap(videosOf));
      for (const { id } of erased) await notifyChange(tx, id);
      const events = erased.reduce((sum, { sequence }) => sum + sequence, 0);
      return { lipsyncs: erased.length, events };
    },
    /** Erases the reasons of rejected requests, with their idempotency keys, and what counts for the owner's day. */
    eraseRecordsOf: (
      tx: Sql,
      owner: string,
    ): Promise<{ rejections: number; usageRecords: number }> => deleteRecordsOf(tx, owner),
  };
}
