import { GraphQLError, Kind } from 'graphql';
import { builder } from './builder.ts';

builder.scalarType('DateTime', {
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
  description:
    'An instant in RFC 3339 format, in UTC, in the years 1 to 9999: `2026-01-31T12:34:56.789Z`. Inputs can have another offset.',
  serialize: (value) => toInstantText(value),
  parseValue: (value) => toInstant(value),
  parseLiteral: (node) => toInstant(node.kind === Kind.STRING ? node.value : null),
});

/** As `toISOString` writes it. */
const instantText = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** A text, because a Date in a result makes `JSON.stringify` several times as slow for the whole result. */
function toInstantText(value: unknown): string {
  if (typeof value === 'string' && instantText.test(value)) return value;
  const instant = value instanceof Date ? value : parseInstant(value);
  if (instant === null) throw new TypeError('A DateTime is neither a Date nor an RFC 3339 text.');
  return instant.toISOString();
}

function toInstant(value: unknown): Date {
  const instant = parseInstant(value);
  if (instant !== null) return checkYear(instant);
  throw new GraphQLError('A DateTime must be a text in RFC 3339 format: 2026-01-31T12:34:56Z.');
}

const dateTime =
  /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;

/**
 * `Date` alone reads more formats than RFC 3339, and February 30 as March 2. Not with graphql-scalars: its 84 modules are a
 * fifteenth of those that are loaded at startup.
 */
function parseInstant(value: unknown): Date | null {
  const text = typeof value === 'string' ? value : '';
  const [, year, month, day] = (dateTime.exec(text) ?? []).map(Number);
  if (year === undefined || month === undefined || day === undefined) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isDay = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isDay ? new Date(text.toUpperCase()) : null;
}

/** RFC 3339 has the years 0 to 9999. PostgreSQL has no year 0, and an offset can move the UTC year out of this range. */
function checkYear(instant: Date): Date {
  const year = instant.getUTCFullYear();
  if (year >= 1 && year <= 9999) return instant;
  throw new GraphQLError('A DateTime must be in the years 1 to 9999, in UTC.');
}

builder.scalarType('SafeInt', {
  description:
    'An integer from -(2^53 - 1) to 2^53 - 1, for values beyond 32 bits such as file sizes in bytes. Inputs can be a number or a string of digits.',
  serialize: (value) => toSafeInteger(value),
  parseValue: (value) => toSafeInteger(value),
  parseLiteral: (node) =>
    toSafeInteger(node.kind === Kind.INT || node.kind === Kind.STRING ? node.value : null),
});

/** Accepts a string, for clients with 32-bit integers. */
function toSafeInteger(value: unknown): number {
  const isDigits = typeof value === 'string' && /^-?\d{1,16}$/.test(value);
  const integer = isDigits ? Number(value) : value;
  if (typeof integer !== 'number' || !Number.isSafeInteger(integer)) {
    throw new GraphQLError('A SafeInt must be an integer from -(2^53 - 1) to 2^53 - 1.');
  }
  return integer;
}

builder.scalarType('URL', {
  specifiedByURL: 'https://url.spec.whatwg.org/',
  description: 'An absolute URL, as the URL Standard defines it.',
  serialize: (value) => toText(value),
  // Not parsed here: an invalid URL is an issue of its field, with the path, and not an error of the whole request.
  parseValue: (value) => toText(value),
  parseLiteral: (node) => toText(node.kind === Kind.STRING ? node.value : null),
});

function toText(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new GraphQLError('A URL must be a string.');
}

builder.scalarType('File', {
  specifiedByURL: 'https://github.com/jaydenseric/graphql-multipart-request-spec',
  description:
    'A file, sent as a part of a request in the GraphQL multipart request format. Input only.',
  serialize: () => {
    throw new TypeError('A File can only be an input.');
  },
  parseValue: (value) => {
    if (isFile(value)) return value;
    throw new GraphQLError('A File must be a part of a multipart request.');
  },
});

/** Not checked with instanceof, because each `fetch` implementation has its own class. JSON values have no methods. */
function isFile(value: unknown): value is File {
  return typeof (value as Partial<File> | null)?.arrayBuffer === 'function';
}
