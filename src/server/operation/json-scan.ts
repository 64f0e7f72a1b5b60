/** The bytes that structure a JSON text. `string` is the opening quote of a string, which is visited as a whole. */
export const jsonToken = {
  string: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openList: 0x5b,
  closeList: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
} as const;

const backslash = 0x5c;
const structural: ReadonlySet<number> = new Set(Object.values(jsonToken));
const isStructural = Uint8Array.from({ length: 256 }, (_, byte) => (structural.has(byte) ? 1 : 0));

/**
 * Visits the structure of a JSON text in one pass over its bytes, without parsing it. Texts that are not JSON are visited
 * too.
 *
 * @param visit called with the byte and the positions of the first and last byte of the token; true ends the pass
 */
export function scanJson(
  text: Uint8Array,
  visit: (token: number, start: number, end: number) => boolean,
): void {
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at] as number;
    if (isStructural[byte] === 0) continue;
    const end = byte === jsonToken.string ? findEndOfString(text, at) : at;
    if (visit(byte, at, end)) return;
    at = end;
  }
}

/** The position of the closing quote, or the end of the text. */
function findEndOfString(text: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== jsonToken.string) at += text[at] === backslash ? 2 : 1;
  return at;
}
