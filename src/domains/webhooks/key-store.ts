import type { Sql } from '../../database/connect.ts';

/** One row of `webhook_keys`, still sealed. */
export type SealedKey = {
  id: string;
  owner: string;
  sealed: string;
  hint: string;
  createdAt: Date;
  expiresAt: Date | null;
};

const columns =
  'id, owner, secret as sealed, hint, created_at as "createdAt", expires_at as "expiresAt"';

/** Two who change the keys of one owner take turns. */
export async function lockKeys(tx: Sql, owner: string): Promise<void> {
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `webhook keys of ${owner}`,
  ]);
}

/** Those that sign now, the newest first. */
export async function findLiveKeys(sql: Sql, owner: string, now: Date): Promise<SealedKey[]> {
  return sql.query<SealedKey>(
    `select ${columns} from webhook_keys
     where owner = $1 and (expires_at is null or expires_at > $2)
     order by expires_at desc nulls first`,
    [owner, now],
  );
}

/** @returns false where the owner has a newest key already. */
export async function insertKey(
  tx: Sql,
  { id, owner, sealed, hint, createdAt }: Omit<SealedKey, 'expiresAt'>,
): Promise<boolean> {
  const rows = await tx.query(
    `insert into webhook_keys (id, owner, secret, hint, created_at) values ($1, $2, $3, $4, $5)
     on conflict (owner) where expires_at is null do nothing returning id`,
    [id, owner, sealed, hint, createdAt],
  );
  return rows.length > 0;
}

/** The newest goes on for a while, and whatever was older ends here. */
export async function retireKeys(tx: Sql, owner: string, until: Date): Promise<void> {
  await tx.query('delete from webhook_keys where owner = $1 and expires_at is not null', [owner]);
  await tx.query('update webhook_keys set expires_at = $2 where owner = $1', [owner, until]);
}

export async function findAllKeys(sql: Sql): Promise<SealedKey[]> {
  return sql.query<SealedKey>(`select ${columns} from webhook_keys`);
}

/** Where it is still sealed as it was read. */
export async function resealKey(sql: Sql, key: SealedKey, sealed: string): Promise<void> {
  await sql.query('update webhook_keys set secret = $3 where id = $1 and secret = $2', [
    key.id,
    key.sealed,
    sealed,
  ]);
}
