/** A number of up to 8 digits, the same for the same text at every start. */
export function stableNumber(text: string): number {
  let hash = 2_166_136_261;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 16_777_619) >>> 0;
  }
  return hash % 100_000_000;
}
