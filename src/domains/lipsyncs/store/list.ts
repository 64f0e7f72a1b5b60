import type { Sql } from '../../../database/connect.ts';
import type { LipsyncStatus } from '../lifecycle.ts';
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

export async function listOwnLipsyncs(
  sql: Sql,
  owner: string,
  { filter, after, before, limit, isBackwards }: LipsyncPage,
): Promise<Lipsync[]> {
  const direction = isBackwards ? 'asc' : 'desc';
  return selectLipsyncs(
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
      limit,
    ],
  );
}
