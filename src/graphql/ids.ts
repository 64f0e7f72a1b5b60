/** Ids as callers see them: opaque, URL-safe, and free of anything but the type and our own key. */

export function encodeId(typename: string, id: string | number | bigint): string {
  return Buffer.from(`${typename}:${id}`).toString('base64url');
}

/** The type and key of an id, or null for rubbish. Only the one canonical spelling of an id is taken. */
export function decodeId(globalId: string): { typename: string; id: string } | null {
  if (globalId.length > 512) return null;
  const text = Buffer.from(globalId, 'base64url').toString('utf8');
  const at = text.indexOf(':');
  if (at < 1 || encodeId(text.slice(0, at), text.slice(at + 1)) !== globalId) return null;
  return { typename: text.slice(0, at), id: text.slice(at + 1) };
}

/** The key of an id that must be of this type, or null. */
export function keyOf(typename: string, globalId: string): string | null {
  const decoded = decodeId(globalId);
  return decoded?.typename === typename ? decoded.id : null;
}
