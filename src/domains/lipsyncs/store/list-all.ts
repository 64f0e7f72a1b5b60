import type { Sql } from '../../../database/connect.ts';
import { lipsyncStatuses } from '../lifecycle.ts';
import { type Lipsync, selectLipsyncs } from './lipsyncs.ts';
import { inRange, type LipsyncPage, rangeParams, statusesOf } from './list.ts';

/** Null: of every owner, of every account. */
export type AdminPage = LipsyncPage & { owner: string | null; accountId: string | null };

/**
 * Lip-syncs of every owner, newest first: one page of each status, which is read in the order of an index, for every
 * combination of filters.
 */
export async function listAllLipsyncs(sql: Sql, page: AdminPage): Promise<Lipsync[]> {
  const { owner, accountId } = page;
  const direction = page.isBackwards ? 'asc' : 'desc';
  const inOrder = `order by created_at ${direction}, id ${direction}`;
  const params = [...rangeParams(owner, page), statusesOf(page.filter) ?? lipsyncStatuses];
  return selectLipsyncs(
    sql,
    `where id = any(array(
       select listed.id from unnest($7::text[]) as wanted (status)
       cross join lateral (
         select id, created_at from lipsyncs
         where status = wanted.status and ${owner === null ? '$1::text is null' : 'owner = $1'}
           ${accountId === null ? '' : 'and account_id = $8'} and ${inRange}
         ${inOrder} limit $6
       ) listed ${inOrder} limit $6
     )) ${inOrder}`,
    accountId === null ? params : [...params, accountId],
  );
}
