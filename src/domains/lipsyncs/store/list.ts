import type { Sql } from '../../../database/connect.ts';
import { type LipsyncStatus, lipsyncStatuses } from '../lifecycle.ts';
import { type Lipsync, selectLipsyncs } from './lipsyncs.ts';

/** A position in an owner's list, which is ordered by creation time, newest first. */
type ListPosition = { createdAt: Date; id: string };

export type LipsyncFilter = {
  /** Repetitions have no effect. */
  statuses?: readonly LipsyncStatus[] | null | undefined;
  reference?: string | null | undefined;
  createdAfter?: Date | null | undefined;
  createdBefore?: Date | null | undefined;
};

export type LipsyncPage = {
  filter: LipsyncFilter;
  after: ListPosition | null;
  before: ListPosition | null;
  limit: number;
  isBackwards: boolean;
};

/** With `rangeParams`. */
export const inRange = `($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
    and ($4::timestamptz is null or (created_at, id) > ($4, $5::uuid))`;

/**
 * Every combination of filters is read in the order of an index. With a status or a reference, that is one page of each
 * status, so that a rare one costs no search.
 */
export async function listOwnLipsyncs(
  sql: Sql,
  owner: string,
  page: LipsyncPage,
): Promise<Lipsync[]> {
  const direction = page.isBackwards ? 'asc' : 'desc';
  const inOrder = `order by created_at ${direction}, id ${direction}`;
  const range = `owner = $1 and ${inRange}`;
  const params = rangeParams(owner, page);
  const reference = page.filter.reference ?? null;
  const statuses = statusesOf(page.filter) ?? (reference === null ? null : lipsyncStatuses);
  if (statuses === null) return selectLipsyncs(sql, `where ${range} ${inOrder} limit $6`, params);
  const sameReference =
    'and hashtextextended(reference, 0) = hashtextextended($8::text, 0) and reference = $8::text';
  return selectLipsyncs(
    sql,
    `where id = any(array(
       select listed.id from unnest($7::text[]) as wanted (status)
       cross join lateral (
         select id, created_at from lipsyncs
         where status = wanted.status and ${range} ${reference === null ? '' : sameReference}
         ${inOrder} limit $6
       ) listed ${inOrder} limit $6
     )) ${inOrder}`,
    reference === null ? [...params, statuses] : [...params, statuses, reference],
  );
}

/** Each once, because one page of each is read; null: all. */
export function statusesOf({ statuses }: LipsyncFilter): readonly LipsyncStatus[] | null {
  return statuses == null ? null : [...new Set(statuses)];
}

/**
 * One bound at each end, the nearer one. With two, the index would be read from one of them, and a deep page would read all
 * rows up to its cursor.
 */
export function rangeParams(
  owner: string | null,
  { filter, after, before, limit }: LipsyncPage,
): unknown[] {
  const { createdAfter, createdBefore } = filter;
  const newest = createdBefore ? { createdAt: createdBefore, id: firstId } : null;
  const oldest = createdAfter ? { createdAt: createdAfter, id: lastId } : null;
  const upper = [after, newest].filter((each) => each !== null).toSorted(comparePositions)[0];
  const lower = [before, oldest]
    .filter((each) => each !== null)
    .toSorted(comparePositions)
    .at(-1);
  return [
    owner,
    upper?.createdAt ?? null,
    upper?.id ?? null,
    lower?.createdAt ?? null,
    lower?.id ?? null,
    limit,
  ];
}

const firstId = '00000000-0000-0000-0000-000000000000';
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Negative if `a` is older. Ids have lower case, in which their order is that of the database. */
function comparePositions(a: ListPosition, b: ListPosition): number {
  const ms = a.createdAt.getTime() - b.createdAt.getTime();
  if (ms !== 0 || a.id === b.id) return ms;
  return a.id < b.id ? -1 : 1;
}
