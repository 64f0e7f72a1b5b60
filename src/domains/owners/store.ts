import type { Sql } from '../../database/connect.ts';
import { mapRow, toJson } from '../../database/rows.ts';

/** Numbers of erased rows, by kind. */
export type ErasedCounts = Partial<Record<ErasedKind, number>>;

export type ErasedKind =
  | 'lipsyncs'
  | 'events'
  | 'webhooks'
  | 'webhookSecrets'
  | 'uploads'
  | 'rejections'
  | 'usageRecords';

/** A row of `owner_erasures`. */
export type OwnerErasure = {
  id: string;
  /** Null once finished: nothing of the owner is kept. */
  owner: string | null;
  erased: ErasedCounts;
  requestedAt: Date;
  finishedAt: Date | null;
};

/** The running erasure of the owner if there is one, else a new one. */
export async function insertErasure(
  tx: Sql,
  erasure: Pick<OwnerErasure, 'id' | 'requestedAt'> & { owner: string },
): Promise<OwnerErasure> {
  const [row] = await tx.query(
    `insert into owner_erasures (id, owner, requested_at) values ($1, $2, $3)
     on conflict (owner) where finished_at is null do update set owner = excluded.owner
     returning *`,
    [erasure.id, erasure.owner, erasure.requestedAt],
  );
  if (row === undefined) throw new Error('The erasure was not stored.');
  return mapRow<OwnerErasure>(row);
}

/** Erasures that are not finished. */
export async function findUnfinished(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    'select id from owner_erasures where finished_at is null order by requested_at',
  );
  return rows.map(({ id }) => id);
}

export async function findErasure(sql: Sql, id: string): Promise<OwnerErasure | null> {
  const [row] = await sql.query('select * from owner_erasures where id = $1', [id]);
  return row === undefined ? null : mapRow<OwnerErasure>(row);
}

/** Adds to the report, in the transaction that erased. */
export async function addErased(tx: Sql, id: string, counts: ErasedCounts): Promise<void> {
  await tx.query(
    `update owner_erasures set erased = erased || (
       select jsonb_object_agg(key, value::int + coalesce((erased ->> key)::int, 0))
       from jsonb_each_text($2::jsonb))
     where id = $1`,
    [id, toJson(counts)],
  );
}

export async function finishErasure(sql: Sql, id: string, at: Date): Promise<void> {
  await sql.query('update owner_erasures set finished_at = $2, owner = null where id = $1', [
    id,
    at,
  ]);
}
