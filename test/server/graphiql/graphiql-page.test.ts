import { expect, test } from 'vitest';
import { renderPage } from '../../../src/server/graphiql/page.ts';

async function piecesOf(nonce: string): Promise<Buffer[]> {
  const stream = (await renderPage({ nonce })) as unknown as AsyncIterable<Buffer>;
  return Array.fromAsync(stream);
}

// The page needs no token. Rendering its 9 MB for each request once blocked the process for a tenth of a second.
test('every response sends the same bytes from the same memory, except for its nonce and options', async () => {
  const one = await piecesOf('one');
  const other = await piecesOf('other');
  const memory = new Set(one.map(({ buffer }) => buffer));
  const bytes = (pieces: Buffer[]) => pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const own = other.filter(({ buffer, byteLength }) => byteLength < 8_192 || !memory.has(buffer));
  expect(bytes(other)).toBeGreaterThan(8_000_000);
  expect(bytes(own)).toBeLessThan(200_000);
  const html = Buffer.concat(other).toString();
  expect(html).toContain('<script nonce="other">');
  expect(html).toContain('openGraphiql(');
});
