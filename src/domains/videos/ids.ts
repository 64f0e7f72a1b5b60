import { randomBytes } from 'node:crypto';
import type { Database } from '../../database/connect.ts';
import { findPrefix, keepPrefixes } from './store.ts';

export type VideoIds = {
  /** The key of an upstream id: `<8 random characters>-<digits>`, the same one for ever. */
  toKey(upstreamId: string): Promise<string>;
  /** The same for many, with one statement at most. */
  toKeys(upstreamIds: readonly string[]): Promise<string[]>;
  /** Null for a key that was never given out in this database. */
  toUpstream(key: string): Promise<string | null>;
};

/** Ids reach 15 digits today; a thousand times longer ones are somebody's rubbish. */
const keyForm = /^([A-Za-z0-9_-]{8})-(\d{0,64})$/;

/** Anything else was never given out, and may not even be a text that the database takes. */
export function isVideoKey(text: string): boolean {
  return keyForm.test(text);
}

/** The upstream id of a key whose prefix has been read, as `readSnapshots` does for many at once. */
export function toUpstreamId(key: string, prefix: string): string {
  return `${prefix}${keyForm.exec(key)?.[2] ?? ''}`;
}

/**
 * An upstream id carries the account's e-mail and its owner's number. What callers see instead is a random key of all
 * that stands in front of the number, and the number. The key is kept, so ids survive every rotation of secrets.
 */
export function createVideoIds(db: Database): VideoIds {
  // As many entries as there are accounts, so never emptied.
  const keys = new Map<string, string>();
  const prefixes = new Map<string, string>();

  function remember(row: { key: string; prefix: string }): void {
    keys.set(row.prefix, row.key);
    prefixes.set(row.key, row.prefix);
  }

  async function learn(unknown: readonly string[]): Promise<void> {
    if (unknown.length === 0) return;
    const fresh = unknown.map((prefix) => ({
      key: randomBytes(6).toString('base64url'),
      prefix,
    }));
    for (const row of await keepPrefixes(db, fresh)) remember(row);
  }

  async function toKeys(upstreamIds: readonly string[]): Promise<string[]> {
    const parts = upstreamIds.map(splitId);
    await learn([...new Set(parts.map(({ prefix }) => prefix))].filter((it) => !keys.has(it)));
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
  };
}

/** Any text has a front and the digits at its end; either may be empty. */
function splitId(upstreamId: string): { prefix: string; digits: string } {
  const digits = /\d{0,64}$/.exec(upstreamId)?.[0] ?? '';
  return { prefix: upstreamId.slice(0, upstreamId.length - digits.length), digits };
}
