import { randomBytes } from 'node:crypto';
import type { Sql } from '../database/connect.ts';

/** The configured secrets, or one that is generated once and stored, so that URLs stay valid after a restart. */
export async function readCallbackSecrets(
  sql: Sql,
  configured: readonly string[] | null,
): Promise<readonly string[]> {
  if (configured !== null) return configured;
  await sql.query(
    `insert into settings (name, value) values ('callback_secret', $1) on conflict do nothing`,
    [randomBytes(32).toString('base64url')],
  );
  const [row] = await sql.query<{ value: string }>(
    "select value from settings where name = 'callback_secret'",
  );
  if (row === undefined) throw new Error('The callback secret was not stored.');
  return [row.value];
}
