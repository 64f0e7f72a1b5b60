import { z } from 'zod';

/**
 * Loose shapes for an API that documents every field as optional and writes 0/1 for booleans, strings for numbers, ''
 * for "none" and year 1 for "never". Each accepts anything, also a missing key, and answers null where there is nothing
 * to be had, so that one odd field can't cost a whole item.
 */
function loose<T>(read: (value: unknown) => T) {
  return z.unknown().optional().transform(read);
}

/** A trimmed text that isn't empty. */
export const looseText = loose(readText);

/** An id as text. A number past 2^53 has already lost digits in `JSON.parse` and is no id any more. */
export const looseId = loose(readId);

export const looseNumber = loose(readNumber);

/** A number above 0: sizes and lengths are 0 until they are known. */
export const loosePositive = loose((value) => {
  const number = readNumber(value);
  return number !== null && number > 0 ? number : null;
});

export const looseBoolean = loose((value): boolean | null => {
  if (typeof value === 'boolean') {
    return value;
  }
  const text = String(value).trim().toLowerCase();
  if (text === '1' || text === 'true') {
    return true;
  }
  return text === '0' || text === 'false' ? false : null;
});

/** An http(s) address; anything else (`javascript:`, a relative path) is nothing to hand to a browser. */
export const looseUrl = loose((value) => {
  const text = readText(value);
  return text !== null && /^https?:\/\/\S+$/i.test(text) ? text : null;
});

/** ISO with or without milliseconds and zone (none means UTC). Year 1 is Go's zero time: none. */
export const looseDate = loose(readDate);

/** The object in a field that may also be null, missing, a list or something else. */
export const looseRecord = loose(
  (value): Record<string, unknown> =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {},
);

/**
 * A list under one of `keys` of the answer, or the answer itself where that is a list. The items are not looked at:
 * see `readItems`. A null list is an empty one, except in an answer that says `error`.
 */
export function looseList(...keys: string[]) {
  return z.unknown().transform((answer, context): unknown[] => {
    if (Array.isArray(answer)) {
      return answer;
    }
    const record = typeof answer === 'object' && answer !== null ? answer : {};
    const fields = new Map(Object.entries(record));
    const key = keys.find((name) => fields.has(name));
    const list = key === undefined ? undefined : fields.get(key);
    if (Array.isArray(list)) {
      return list;
    }
    if (list === null && !fields.get('error')) {
      return [];
    }
    context.addIssue({ code: 'custom', message: `There is no list under ${keys.join(', ')}.` });
    return z.NEVER;
  });
}

/** The items that fit the schema. The others are counted to `onDropped`: they must not kill the whole list. */
export function readItems<T>(
  items: unknown[],
  schema: z.ZodType<T>,
  onDropped: (count: number) => void,
): T[] {
  const kept = items.flatMap((item) => {
    const parsed = schema.safeParse(item);
    return parsed.success ? [parsed.data] : [];
  });
  if (kept.length < items.length) {
    onDropped(items.length - kept.length);
  }
  return kept;
}

function readText(value: unknown): string | null {
  if (typeof value === 'number' && Number.isFinite(value)) {
    return String(value);
  }
  return typeof value === 'string' ? value.trim() || null : null;
}

function readId(value: unknown): string | null {
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) && value > 0 ? String(value) : null;
  }
  const text = readText(value);
  // `original_video_id` is 0 where there is no original.
  return text === '0' ? null : text;
}

function readNumber(value: unknown): number | null {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? value : null;
  }
  if (typeof value !== 'string' || value.trim() === '') {
    return null;
  }
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

function readDate(value: unknown): Date | null {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d/.test(value) || value.startsWith('0001-')) {
    return null;
  }
  const hasZone = /(?:z|[+-]\d\d:?\d\d)$/i.test(value) || value.length === '2024-01-01'.length;
  const date = new Date(hasZone ? value : `${value}Z`);
  return Number.isNaN(date.getTime()) ? null : date;
}
