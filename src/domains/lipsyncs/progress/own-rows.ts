import type { Sql } from '../../../database/connect.ts';
import { isUuid } from '../../../database/uuid.ts';
import { findOwnLipsyncs, type Lipsync } from '../store/lipsyncs.ts';

type OwnKey = { owner: string; key: string };
type Rows = ReadonlyMap<string, Lipsync>;

/**
 * Reads the rows of new subscriptions. Subscriptions that arrive during one read share the next, with one statement for each
 * owner. When thousands of clients reconnect after a restart, a statement for each would delay the first events by seconds.
 *
 * @returns reads one row; null for an id that does not exist or belongs to another owner
 */
export function createOwnRows(sql: Sql) {
  let reading: Promise<unknown> = Promise.resolve();
  /** The keys of the next read, and its result. Nothing is cached: a subscription must see every change before it. */
  let next: { keys: OwnKey[]; rows: Promise<Rows> } | null = null;

  function scheduleRead() {
    const keys: OwnKey[] = [];
    const rows = reading.then(() => {
      next = null;
      return readAll(sql, keys);
    });
    reading = rows.catch(() => undefined);
    return { keys, rows };
  }

  return async (owner: string, key: string): Promise<Lipsync | null> => {
    next ??= scheduleRead();
    next.keys.push({ owner, key });
    const rows = await next.rows;
    return rows.get(nameOf(owner, key)) ?? null;
  };
}

async function readAll(sql: Sql, keys: readonly OwnKey[]): Promise<Rows> {
  const owners = [...Map.groupBy(keys, ({ owner }) => owner)];
  const found = await Promise.all(owners.map(([owner, own]) => readOwn(sql, owner, own)));
  return new Map(found.flat().map((lipsync) => [nameOf(lipsync.owner, lipsync.id), lipsync]));
}

async function readOwn(sql: Sql, owner: string, keys: readonly OwnKey[]): Promise<Lipsync[]> {
  const ids = new Set(keys.map(({ key }) => key).filter(isUuid));
  return ids.size === 0 ? [] : findOwnLipsyncs(sql, owner, [...ids]);
}

function nameOf(owner: string, key: string): string {
  return `${key} ${owner}`;
}
