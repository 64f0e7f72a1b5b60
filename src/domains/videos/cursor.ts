import { z } from 'zod';
import { InvalidInputError } from '../../errors.ts';
import type { Position } from './order.ts';

/**
 * Where a page ends. The position names a video and decides; the offsets, by account, are hints where to read on and
 * may be wrong, since videos come and go. Nothing in it is secret, and nothing in it is believed.
 */
export type Cursor = { position: Position; offsets: Readonly<Record<string, number>> };

const maxLength = 8_192;

const wireCursor = z.tuple([
  z.int().min(0).max(8.64e15),
  z.string().regex(/^(?:[A-Za-z0-9_-]{8}-\d{0,64})?$/),
  z.record(z.string().regex(/^[A-Za-z0-9_-]{1,32}$/), z.int().min(0).max(10_000_000)),
]);

export function writeCursor({ position, offsets }: Cursor): string {
  return Buffer.from(JSON.stringify([position.at, position.key, offsets])).toString('base64url');
}

/** @throws {InvalidInputError} for anything that `writeCursor` did not write */
export function readCursor(argument: 'after' | 'before', text: string): Cursor {
  const parsed = text.length <= maxLength ? wireCursor.safeParse(parseJson(text)) : null;
  if (!parsed?.success) {
    const message = `This is no cursor of this list: ${argument} takes one that it gave out.`;
    throw new InvalidInputError([{ path: [argument], message }]);
  }
  const [at, key, offsets] = parsed.data;
  return { position: { at, key }, offsets };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}
