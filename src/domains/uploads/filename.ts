import { z } from 'zod';
import { breaks } from '../../check-input.ts';

const maxLength = 255;
const message = `filename must have 1 to ${maxLength} characters.`;

/** The caller's own name for a file. */
export const filenameShape = z
  .string()
  .refine((name) => !hasControlCharacters(name), {
    ...breaks('INVALID_CHARACTER', 'filename must not contain control characters.'),
    abort: true,
  })
  .refine((name) => name !== '', breaks('REQUIRED', message))
  .refine((name) => [...name].length <= maxLength, breaks('TOO_LONG', message))
  .nullish();

/** Lone surrogates count too, because the database rejects them. */
function hasControlCharacters(text: string): boolean {
  return /\p{Cc}/u.test(text) || !text.isWellFormed();
}

/** The name comes from the client's file system, so an invalid one is corrected instead of rejected. */
export function cleanFilename(name: string): string | null {
  const cleaned = [...name.toWellFormed().replace(/\p{Cc}/gu, '')].slice(0, maxLength).join('');
  return cleaned === '' ? null : cleaned;
}
