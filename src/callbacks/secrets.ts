import { randomBytes } from 'node:crypto';
import type { Sql } from '../database/connect.ts';
import { createSettingOnce } from '../database/settings.ts';

/** The configured secrets, or one that is generated once and stored, so that URLs given out before a restart stay valid. */
export async function readCallbackSecrets(
  sql: Sql,
  configured: readonly string[] | null,
): Promise<readonly string[]> {
  if (configured !== null) return configured;
  const generated = randomBytes(32).toString('base64url');
  return [await createSettingOnce(sql, 'callback_secret', generated)];
}
