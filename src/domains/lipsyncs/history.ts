import type { Sql } from '../../database/connect.ts';
import { isUuid } from '../../database/uuid.ts';
import { InvalidInputError, NotFoundError } from '../../errors.ts';
import { addMs, type LipsyncDependencies } from './dependencies.ts';
import { isTerminal } from './lifecycle.ts';
import { notifyChange } from './store/events.ts';
import {
  deleteFinishedLipsyncs,
  deleteLipsyncRow,
  findOwnLipsyncs,
  type Lipsync,
  lockOwnLipsync,
  videosOf,
} from './store/lipsyncs.ts';
import { type LipsyncPage, listOwnLipsyncs } from './store/list.ts';
import { type AdminPage, listAllLipsyncs } from './store/list-all.ts';
import { deleteRejectionsBefore } from './store/rejections.ts';
import { deleteOldErasures, recordErasure } from './store/usage.ts';

/** An owner's lip-syncs in the order of the keys; null for a key without a lip-sync of this owner. */
export async function findOwn(
  sql: Sql,
  owner: string,
  keys: readonly string[],
): Promise<(Lipsync | null)[]> {
  const found = await findOwnLipsyncs(sql, owner, keys.filter(isUuid));
  const byKey = new Map(found.map((lipsync) => [lipsync.id, lipsync]));
  return keys.map((key) => byKey.get(key) ?? null);
}

/** Returns up to `limit + 1` items: the extra one shows that there are more. */
export async function listOwn(sql: Sql, owner: string, page: LipsyncPage): Promise<Lipsync[]> {
  const { reference } = page.filter;
  // No row can contain these: PostgreSQL rejects U+0000 in a parameter, and would get U+FFFD for half of a surrogate pair.
  if (reference?.includes('\0') || reference?.isWellFormed() === false) return [];
  return listOwnLipsyncs(sql, owner, { ...page, limit: page.limit + 1 });
}

/** Lists the lip-syncs of every owner. Returns up to `limit + 1` items, as `listOwn` does. */
export async function listAll(sql: Sql, page: AdminPage): Promise<Lipsync[]> {
  if (page.owner?.includes('\0') || page.owner?.isWellFormed() === false) return [];
  return listAllLipsyncs(sql, { ...page, limit: page.limit + 1 });
}

/** Erases a finished lip-sync with its text, reference and events. The video that it made stays at the upstream. */
export async function deleteLipsync(
  deps: LipsyncDependencies,
  { owner, id }: { owner: string; id: string },
): Promise<void> {
  if (!isUuid(id)) throw new NotFoundError('The lip-sync');
  await deps.db.transaction(async (tx) => {
    const lipsync = await lockOwnLipsync(tx, { owner, id });
    if (lipsync === null) throw new NotFoundError('The lip-sync');
    if (!isTerminal(lipsync.status)) {
      throw new InvalidInputError([
        {
          path: ['input', 'id'],
          message: 'The lip-sync has not finished. Cancel it first.',
          code: 'WRONG_STATUS',
        },
      ]);
    }
    await deleteLipsyncRow(tx, id);
    await deps.videos.release(tx, videosOf(lipsync));
    await recordErasure(tx, lipsync);
    await notifyChange(tx, id);
  });
}

/** More than enough: a request waits only seconds for the rejection of a concurrent request. */
const rejectionRetentionMs = 3_600_000;

/**
 * Each deletes at most `limit` rows, in a transaction of its own that takes milliseconds, and returns how many. Fewer than
 * `limit`: there are no more now.
 */
export type EraseBatch = (limit: number) => Promise<number>;

/** Erases lip-syncs that finished before this moment, and records that are no longer needed. */
export function eraseOldBatches(deps: LipsyncDependencies, finishedBefore: Date): EraseBatch[] {
  const { db, videos } = deps;
  return [
    (limit) =>
      db.transaction(async (tx) => {
        const deleted = await deleteFinishedLipsyncs(tx, { finishedBefore, limit });
        await videos.release(tx, deleted.flatMap(videosOf));
        return deleted.length;
      }),
    (limit) =>
      deleteRejectionsBefore(db, { moment: addMs(deps.now(), -rejectionRetentionMs), limit }),
    (limit) => deleteOldErasures(db, { now: deps.now(), limit }),
  ];
}
