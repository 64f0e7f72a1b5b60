import { randomBytes } from 'node:crypto';
import type { Database } from '../../database/connect.ts';
import { findPrefix, insertPrefixes } from './store.ts';

export type VideoIds = {
  /** The key of an upstream id: `<8 random characters>-<digits>`. Permanent. */
  toKey(upstreamId: string): Promise<string>;
  /** `toKey` for many ids, with at most one statement. */
  toKeys(upstreamIds: readonly string[]): Promise<string[]>;
  /** Null for a key that was never created in this database. */
  toUpstream(key: string): Promise<string | null>;
  /** Saves the statement for a prefix that was read together with a key. */
  remember(key: string, prefix: string): void;
};

/** Real numbers have up to 15 digits. The limit bounds what a made-up id can store. */
const keyForm = /^([A-Za-z0-9_-]{8})-(\d{0,64})$/;

/** Other texts were never given out as keys; the database may even reject them, as with U+0000. */
export function isVideoKey(text: string): boolean {
  return keyForm.test(text);
}

/** The upstream id of a key and its prefix, which `readVideoCopies` reads for many keys at once. */
export function toUpstreamId(key: string, prefix: string): string {
  return `${prefix}${keyForm.exec(key)?.[2] ?? ''}`;
}

/**
 * An upstream id contains the account's e-mail and user number. Callers get instead a random key for the part before the
 * video's number, followed by that number. Keys are stored, not derived from a secret, so rotating secrets keeps ids valid.
 */
export function createVideoIds(db: Database): VideoIds {
  // One entry per account, so nothing is evicted.
  const keys = new Map<string, string>();
  const prefixes = new Map<string, string>();

  function remember(row: { key: string; prefix: string }): void {
    keys.set(row.prefix, row.key);
    prefixes.set(row.key, row.prefix);
  }

  async function addPrefixes(unknown: readonly string[]): Promise<void> {
    if (unknown.length === 0) return;
    const fresh = unknown.map((prefix) => ({
      key: randomBytes(6).toString('base64url'),
      prefix,
    }));
    for (const row of await insertPrefixes(db, fresh)) remember(row);
  }

  async function toKeys(upstreamIds: readonly string[]): Promise<string[]> {
    const parts = upstreamIds.map(splitId);
    await addPrefixes(
      [...new Set(parts.map(({ prefix }) => prefix))].filter((it) => !keys.has(it)),
    );
    return parts.map(({ prefix, digits }) => `${keys.get(prefix)}-${digits}`);
  }

  async function toUpstream(key: string): Promise<string | null> {
    const [, prefixKey] = keyForm.exec(key) ?? [];
    if (prefixKey === undefined) return null;
    const prefix = prefixes.get(prefixKey) ?? (await findPrefix(db, prefixKey));
    if (prefix === null) return null;
    remember({ key: prefixKey, prefix });
    return toUpstreamId(key, prefix);
  }

  return {
    toKeys,
    async toKey(upstreamId) {
      return (await toKeys([upstreamId]))[0] ?? '';
    },
    toUpstream,
    remember: (key, prefix) => remember({ key: key.slice(0, 8), prefix }),
  };
}

/** Splits off the digits at the end. Either part may be empty. */
function splitId(upstreamId: string): { prefix: string; digits: string } {
  const digits = /\d{0,64}$/.exec(upstreamId)?.[0] ?? '';
  return { prefix: upstreamId.slice(0, upstreamId.length - digits.length), digits };
}
