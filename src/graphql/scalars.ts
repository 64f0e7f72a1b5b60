import { GraphQLError, Kind } from 'graphql';
import { GraphQLDateTime } from 'graphql-scalars';
import { builder } from './builder.ts';

builder.scalarType('DateTime', {
  description: 'An instant in RFC 3339, in UTC: `2026-01-31T12:34:56.789Z`.',
  serialize: (value) => GraphQLDateTime.serialize(value) as Date,
  parseValue: (value) => withinYears(GraphQLDateTime.parseValue(value)),
  parseLiteral: (node) => withinYears(GraphQLDateTime.parseLiteral(node, {})),
});

/** RFC 3339 has the years 0 to 9999. PostgreSQL knows no year 0, and an offset can lead out of them. */
function withinYears(instant: Date): Date {
  const year = instant.getUTCFullYear();
  if (year >= 1 && year <= 9999) return instant;
  throw new GraphQLError('A DateTime is in the years 1 to 9999, in UTC.');
}

builder.scalarType('BigInt', {
  description:
    'A whole number from -2^53 to 2^53, since 32 bits do not hold the size of a large file.',
  serialize: (value) => toWhole(value),
  parseValue: (value) => toWhole(value),
  parseLiteral: (node) =>
    toWhole(node.kind === Kind.INT || node.kind === Kind.STRING ? node.value : null),
});

/** Clients whose integers end at 32 bits may send it as a string. */
function toWhole(value: unknown): number {
  const isDigits = typeof value === 'string' && /^-?\d{1,16}$/.test(value);
  const whole = isDigits ? Number(value) : value;
  if (typeof whole !== 'number' || !Number.isSafeInteger(whole)) {
    throw new GraphQLError('A BigInt is a whole number from -2^53 to 2^53.');
  }
  return whole;
}

builder.scalarType('File', {
  description: 'A file sent with the GraphQL multipart request format.',
  serialize: () => {
    throw new TypeError('A File is only ever sent to the server.');
  },
  parseValue: (value) => {
    if (isFile(value)) return value;
    throw new GraphQLError('A File is a part of a multipart request.');
  },
});

/** Not by its class: each implementation of `fetch` has its own. What came as JSON has no methods. */
function isFile(value: unknown): value is File {
  return typeof (value as Partial<File> | null)?.arrayBuffer === 'function';
}
