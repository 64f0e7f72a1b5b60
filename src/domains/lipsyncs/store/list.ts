import type { Sql } from '../../../database/connect.ts';
import { type LipsyncStatus, lipsyncStatuses } from '../lifecycle.ts';
import { type Lipsync, selectLipsyncs } from './lipsyncs.ts';

/** A position in an owner's list, which is ordered by creation time, newest first. */
export type ListPosition = { createdAt: Date; id: string };

export type LipsyncFilter = {
  status?: readonly LipsyncStatus[] | null | undefined;
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
  const range = `owner = $1
    and ($2::timestamptz is null or created_at > $2)
    and ($3::timestamptz is null or created_at < $3)
    and ($4::timestamptz is null or (created_at, id) < ($4, $5::uuid))
    and ($6::timestamptz is null or (created_at, id) > ($6, $7::uuid))`;
  const params = rangeParams(owner, page);
  const reference = page.filter.reference ?? null;
  const status = page.filter.status ?? (reference === null ? null : lipsyncStatuses);
  if (status === null) return selectLipsyncs(sql, `where ${range} ${inOrder} limit $8`, params);
  const sameReference =
    'and hashtextextended(reference, 0) = hashtextextended($10::text, 0) and reference = $10::text';
  return selectLipsyncs(
    sql,
    `where id = any(array(
       select listed.id from unnest($9::text[]) as wanted (status)
       cross join lateral (
         select id, created_at from lipsyncs
         where status = wanted.status and ${range} ${reference === null ? '' : sameReference}
         ${inOrder} limit $8
       ) listed ${inOrder} limit $8
     )) ${inOrder}`,
    reference === null ? [...params, status] : [...params, status, reference],
  );
}

function rangeParams(owner: string, { filter, after, before, limit }: LipsyncPage): unknown[] {
  return [
    owner,
    filter.createdAfter ?? null,
    filter.createdBefore ?? null,
    after?.createdAt ?? null,
    after?.id ?? null,
    before?.createdAt ?? null,
    before?.id ?? null,
    limit,
  ];
}
