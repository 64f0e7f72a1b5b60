import type { Sql } from '../../database/connect.ts';
import { isUuid } from '../../database/uuid.ts';
import { InvalidInputError, NotFoundError } from '../../errors.ts';
import type { Engine } from './dependencies.ts';
import { isTerminal, type LipsyncStatus } from './lifecycle.ts';
import { type Lipsync, lockOwn, notifyChange, selectLipsyncs } from './store/lipsyncs.ts';
import { forgetErased, rememberErased } from './store/usage.ts';

export type LipsyncFilter = {
  status?: readonly LipsyncStatus[] | null | undefined;
  reference?: string | null | undefined;
  createdAfter?: Date | null | undefined;
  createdBefore?: Date | null | undefined;
};

/** A place in an owner's list: its order is by creation, newest first. */
export type Place = { createdAt: Date; id: string };

/** Whether a cursor's place can be one: anything else the database would choke on. */
export function isPlace({ createdAt, id }: Place): boolean {
  const ms = createdAt.getTime();
  return ms >= 0 && ms < Date.UTC(10_000, 0) && isUuid(id);
}

/** An owner's lip-syncs by their keys, in the order of the keys; null where there is none of this owner. */
export async function findOwn(
  sql: Sql,
  owner: string,
  keys: readonly string[],
): Promise<(Lipsync | null)[]> {
  const found = await selectLipsyncs(sql, 'where owner = $1 and id = any($2::uuid[])', [
    owner,
    keys.filter(isUuid),
  ]);
  const byKey = new Map(found.map((lipsync) => [lipsync.id, lipsync]));
  return keys.map((key) => byKey.get(key) ?? null);
}

/** One item more than `limit` shows that there are more. */
export async function listOwn(
  sql: Sql,
  owner: string,
  page: {
    filter: LipsyncFilter;
    after: Place | null;
    before: Place | null;
    limit: number;
    isBackwards: boolean;
  },
): Promise<Lipsync[]> {
  const { filter, after, before } = page;
  // No row can hold it, and no database takes it.
  if (filter.reference?.includes('\0')) return [];
  const direction = page.isBackwards ? 'asc' : 'desc';
  const found = await selectLipsyncs(
    sql,
    `where owner = $1
       and ($2::text[] is null or status = any($2))
       and ($3::text is null or reference = $3)
       and ($4::timestamptz is null or created_at > $4)
       and ($5::timestamptz is null or created_at < $5)
       and ($6::timestamptz is null or (created_at, id) < ($6, $7::uuid))
       and ($8::timestamptz is null or (created_at, id) > ($8, $9::uuid))
     order by created_at ${direction}, id ${direction} limit $10`,
    [
      owner,
      filter.status ?? null,
      filter.reference ?? null,
      filter.createdAfter ?? null,
      filter.createdBefore ?? null,
      after?.createdAt ?? null,
      after?.id ?? null,
      before?.createdAt ?? null,
      before?.id ?? null,
      page.limit + 1,
    ],
  );
  return found;
}

/** Erases a finished lip-sync: its text, its reference, its events. The video it made stays at the upstream. */
export async function deleteLipsync(
  engine: Engine,
  { owner, id }: { owner: string; id: string },
): Promise<void> {
  if (!isUuid(id)) throw new NotFoundError('The lip-sync');
  await engine.db.transaction(async (tx) => {
    const lipsync = await lockOwn(tx, { owner, id });
    if (lipsync === null) throw new NotFoundError('The lip-sync');
    if (!isTerminal(lipsync.status)) {
      throw new InvalidInputError([
        { path: ['input', 'id'], message: 'The lip-sync has not finished. Cancel it first.' },
      ]);
    }
    await tx.query('delete from lipsyncs where id = $1', [id]);
    await rememberErased(tx, lipsync);
    await notifyChange(tx, id);
  });
}

/**
 * Erases what finished before this moment, and refusals nobody waits for any more. Returns how many lip-syncs. One whose
 * webhooks are still being tried stays until they have ended; a try that is as old as that has been lost.
 */
export async function eraseOld(engine: Engine, finishedBefore: Date): Promise<number> {
  const erased = await engine.db.query(
    `delete from lipsyncs where finished_at < $1 and not exists (
       select 1 from webhook_deliveries
       where lipsync_id = lipsyncs.id and state = 'PENDING'
         and greatest(next_attempt_at, claimed_until) > $1
     ) returning id`,
    [finishedBefore],
  );
  await engine.db.query('delete from refusals where refused_at < $1', [
    new Date(engine.now().getTime() - 3_600_000),
  ]);
  await forgetErased(engine.db, engine.now());
  return erased.length;
}
