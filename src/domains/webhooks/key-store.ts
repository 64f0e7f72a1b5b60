import type { Sql } from '../../database/connect.ts';

/** One row of `webhook_keys`. The secret is encrypted. */
export type EncryptedKey = {
  id: string;
  owner: string;
  encryptedSecret: string;
  hint: string;
  createdAt: Date;
  /** Null for the newest key. */
  expiresAt: Date | null;
};

const columns =
  'id, owner, secret as "encryptedSecret", hint, created_at as "createdAt", expires_at as "expiresAt"';

/** Until the transaction ends, no other transaction changes the keys of this owner. */
export async function lockKeys(tx: Sql, owner: string): Promise<void> {
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `webhook keys of ${owner}`,
  ]);
}

/** The keys that sign now, the newest first. */
export async function findLiveKeys(sql: Sql, owner: string, now: Date): Promise<EncryptedKey[]> {
  return sql.query<EncryptedKey>(
    `select ${columns} from webhook_keys
     where owner = $1 and (expires_at is null or expires_at > $2)
     order by expires_at desc nulls first`,
    [owner, now],
  );
}

/** @returns false if the owner already has a newest key */
export async function insertKey(
  tx: Sql,
  { id, owner, encryptedSecret, hint, createdAt }: Omit<EncryptedKey, 'expiresAt'>,
): Promise<boolean> {
  const rows = await tx.query(
    `insert into webhook_keys (id, owner, secret, hint, created_at) values ($1, $2, $3, $4, $5)
     on conflict (owner) where expires_at is null do nothing returning id`,
    [id, owner, encryptedSecret, hint, createdAt],
  );
  return rows.length > 0;
}

/** Lets the newest key expire at `until` and deletes all older keys. */
export async function retireKeys(tx: Sql, owner: string, until: Date): Promise<void> {
  await tx.query('delete from webhook_keys where owner = $1 and expires_at is not null', [owner]);
  await tx.query('update webhook_keys set expires_at = $2 where owner = $1', [owner, until]);
}

export async function findAllKeys(sql: Sql): Promise<EncryptedKey[]> {
  return sql.query<EncryptedKey>(`select ${columns} from webhook_keys`);
}

/** Does nothing if the row's secret is no longer the one that was read. */
export async function replaceEncryptedSecret(
  sql: Sql,
  key: EncryptedKey,
  encrypted: string,
): Promise<void> {
  await sql.query('update webhook_keys set secret = $3 where id = $1 and secret = $2', [
    key.id,
    key.encryptedSecret,
    encrypted,
  ]);
}

export async function deleteKeysOf(tx: Sql, owner: string): Promise<number> {
  return (await tx.query('delete from webhook_keys where owner = $1 returning id', [owner])).length;
}
