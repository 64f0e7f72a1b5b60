import DataLoader from 'dataloader';
import type { Sql } from '../../../database/connect.ts';
import { isUuid } from '../../../database/uuid.ts';
import { findOwnLipsyncs, type Lipsync } from '../store/lipsyncs.ts';

type OwnKey = { owner: string; key: string };

/**
 * Reads the rows of new subscriptions: one statement at a time for each owner, for all subscriptions that came meanwhile. When
 * thousands of clients reconnect after a restart, one statement for each of them would delay the first events by seconds.
 */
export function createOwnRows(sql: Sql) {
  let reading: Promise<unknown> = Promise.resolve();

  async function readOwn(owner: string, keys: readonly OwnKey[]): Promise<Lipsync[]> {
    const ids = new Set(keys.map(({ key }) => key).filter(isUuid));
    return ids.size === 0 ? [] : findOwnLipsyncs(sql, owner, [...ids]);
  }

  async function readAll(keys: readonly OwnKey[]): Promise<(Lipsync | null)[]> {
    const owners = [...Map.groupBy(keys, ({ owner }) => owner)];
    const found = await Promise.all(owners.map(([owner, own]) => readOwn(owner, own)));
    const rows = new Map(
      found.flat().map((lipsync) => [`${lipsync.id} ${lipsync.owner}`, lipsync]),
    );
    return keys.map(({ owner, key }) => rows.get(`${key} ${owner}`) ?? null);
  }

  const loader = new DataLoader(
    (keys: readonly OwnKey[]) => {
      const rows = readAll(keys);
      reading = rows.catch(() => undefined);
      return rows;
    },
    // Never cached: a subscription must see every change before it.
    { cache: false, batchScheduleFn: (dispatch) => void reading.then(dispatch) },
  );

  /** Null for an id that does not exist or belongs to another owner. */
  return (owner: string, key: string): Promise<Lipsync | null> => loader.load({ owner, key });
}
