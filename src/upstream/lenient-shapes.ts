import { z } from 'zod';

/**
 * Lenient shapes for an API that documents every field as optional and writes 0/1 for booleans, strings for numbers, ''
 * for "none" and year 1 for "never". Each accepts any value, also a missing key, and gives null where nothing can be
 * read, so that one malformed field does not drop the whole item.
 */
function lenient<T>(read: (value: unknown) => T) {
  return z.unknown().optional().transform(read);
}

/** Trimmed, never empty. */
export const lenientText = lenient(readText);

/**
 * An id or e-mail as text. A number past 2^53 has lost digits in `JSON.parse` and cannot be used as an id. Nor can a text
 * that the database rejects or stores as another: one such id in a list would fail the whole list.
 */
export const lenientId = lenient(readId);

export const lenientNumber = lenient(readNumber);

/** A number above 0: sizes and lengths are 0 until they are known. */
export const lenientPositive = lenient((value) => {
  const number = readNumber(value);
  return number !== null && number > 0 ? number : null;
});

export const lenientBoolean = lenient((value): boolean | null => {
  if (typeof value === 'boolean') {
    return value;
  }
  const text = String(value).trim().toLowerCase();
  if (text === '1' || text === 'true') {
    return true;
  }
  return text === '0' || text === 'false' ? false : null;
});

/** An http(s) URL, its spaces encoded. Anything else (`javascript:`, a relative path) must not reach a browser. */
export const lenientUrl = lenient((value) => {
  const text = readText(value)?.replaceAll(' ', '%20') ?? null;
  return text !== null && /^https?:\/\/\S+$/i.test(text) ? text : null;
});

/**
 * ISO 8601 with or without milliseconds and zone, the date of an HTTP header, or Unix time in seconds or milliseconds; without
 * a zone it is UTC. Year 1 is Go's zero time and gives null, and so does a year that RFC 3339 or PostgreSQL does not have.
 */
export const lenientDate = lenient(readDate);

/** The object in a field, or {} where the field is missing or not an object. */
export const lenientRecord = lenient(
  (value): Record<string, unknown> =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {},
);

/**
 * The list under one of `keys` of the body, or the body itself if it is a list. The items are not checked: see
 * `readItems`. A null list is an empty one, except in a body with an `error`.
 */
export function lenientList(...keys: string[]) {
  return z.unknown().transform((body, context): unknown[] => {
    if (Array.isArray(body)) {
      return body;
    }
    const record = typeof body === 'object' && body !== null ? body : {};
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

/** The items that match the schema. The others are dropped and reported by number: they must not fail the whole list. */
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
  // PostgreSQL rejects U+0000, and half a surrogate pair would be stored as another text.
  return typeof value === 'string'
    ? value.replaceAll('\0', '').toWellFormed().trim() || null
    : null;
}

function readId(value: unknown): string | null {
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) && value > 0 ? String(value) : null;
  }
  if (typeof value === 'string' && !isStorableId(value.trim())) return null;
  const text = readText(value);
  // `original_video_id` is 0 for a video without an original.
  return text === '0' ? null : text;
}

/** The longest text that requests contain as an id, and short enough for an index of PostgreSQL. */
const maxIdLength = 512;

function isStorableId(text: string): boolean {
  return text.length <= maxIdLength && text.isWellFormed() && !/\p{Cc}/u.test(text);
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
  const text = readText(value);
  if (text === null || text.startsWith('0001-')) return null;
  const date = new Date(readUnixTime(text) ?? toIso(text) ?? Number.NaN);
  const year = date.getUTCFullYear();
  return year >= 1 && year <= 9999 ? date : null;
}

/** Seconds until the year 5138, which in milliseconds is 1973. */
const maxUnixSeconds = 1e11;

function readUnixTime(text: string): number | null {
  if (!/^\d{9,14}(\.\d+)?$/.test(text)) return null;
  const number = Number(text);
  return number < maxUnixSeconds ? number * 1000 : number;
}

/** Also with `+00`, and with the names behind the offset that Go writes. */
function toIso(text: string): string | null {
  if (/^[a-z]{3}, \d/i.test(text)) return text;
  const pattern =
    /^(\d{4}-\d\d-\d\d)(?:[t ]([\d:.]+))? ?(z|utc|gmt|[+-]\d\d(?::?\d\d)?)?(?: [a-z]{3,4})?$/i;
  const [, day, time, zone = 'Z'] = pattern.exec(text) ?? [];
  if (day === undefined || time === undefined) return day ?? null;
  const [, hours, minutes = '00'] = /^([+-]\d\d):?(\d\d)?$/.exec(zone) ?? [];
  return `${day}T${time}${hours === undefined ? 'Z' : `${hours}:${minutes}`}`;
}
