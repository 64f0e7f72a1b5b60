import { z } from 'zod';
import { InvalidInputError } from '../../../errors.ts';
import type { VideoPosition } from './order.ts';

/**
 * A place in the list. The position decides. The offsets, by account id, only hint where to continue reading: they may be
 * outdated, since videos are added and deleted. A cursor contains no secrets and is not trusted.
 */
export type Cursor = { position: VideoPosition; offsets: Readonly<Record<string, number>> };

const maxCursorLength = 8_192;

const cursorShape = z.tuple([
  z.int().min(0).max(8.64e15),
  z.string().regex(/^(?:[A-Za-z0-9_-]{8}-\d{0,64})?$/),
  z.record(z.string().regex(/^[A-Za-z0-9_-]{1,32}$/), z.int().min(0).max(10_000_000)),
]);

export function writeCursor({ position, offsets }: Cursor): string {
  return Buffer.from(JSON.stringify([position.at, position.key, offsets])).toString('base64url');
}

/** @throws {InvalidInputError} for a text that `writeCursor` cannot have written */
export function readCursor(argument: 'after' | 'before', text: string): Cursor {
  const parsed = text.length <= maxCursorLength ? cursorShape.safeParse(parseJson(text)) : null;
  if (!parsed?.success) {
    const message = `The cursor does not belong to this list: ${argument} takes a cursor from an earlier page.`;
    throw new InvalidInputError([{ path: [argument], message, code: 'INVALID_CURSOR' }]);
  }
  const [at, key, offsets] = parsed.data;
  return { position: { at, key }, offsets };
}

/** For a cursor whose place is not near its offset. */
export function outdatedCursor(argument: 'after' | 'before'): InvalidInputError {
  const message = `The list has changed too much since the cursor in ${argument} was sent. Start again without it.`;
  return new InvalidInputError([{ path: [argument], message, code: 'INVALID_CURSOR' }]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}
