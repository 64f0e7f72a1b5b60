/** Public ids: opaque and URL-safe. They contain only the type and our own key. */

export function encodeId(typename: string, id: string | number | bigint): string {
  return Buffer.from(`${typename}:${id}`).toString('base64url');
}

/** The type and key of an id, or null if it is malformed. Accepts only the canonical encoding, so that an id is unique. */
export function decodeId(globalId: string): { typename: string; id: string } | null {
  if (globalId.length > 512) return null;
  const text = Buffer.from(globalId, 'base64url').toString('utf8');
  const at = text.indexOf(':');
  if (at < 1 || encodeId(text.slice(0, at), text.slice(at + 1)) !== globalId) return null;
  return { typename: text.slice(0, at), id: text.slice(at + 1) };
}

/** The key of an id of this type; null if the id is malformed or of another type. */
export function keyOf(typename: string, globalId: string): string | null {
  const decoded = decodeId(globalId);
  return decoded?.typename === typename ? decoded.id : null;
}
