/**
 * The JavaScript type for each SQL type, the same with both drivers. By default they differ on int8, date, numeric[], bytea
 * and more.
 *
 * | SQL | JavaScript |
 * |---|---|
 * | int2, int4, oid, float4, float8 | number |
 * | int8, also of `count(*)` | number within ±2^53, otherwise string: exact, and it can be written as JSON |
 * | numeric | string |
 * | bool | boolean |
 * | timestamptz | Date (milliseconds; PostgreSQL keeps microseconds) |
 * | json, jsonb | the parsed value |
 * | bytea | Uint8Array |
 * | all others: text, uuid, date, timestamp, interval, enums … | string, as PostgreSQL prints it |
 *
 * An SQL array of these becomes a list. Parameters: Date, null, boolean, number, bigint, string, Uint8Array, lists for SQL
 * arrays, plain objects for json. Pass a list or a bare string for json as `JSON.stringify(value)`: node-postgres does not
 * know the column's type and would send a list as an SQL array.
 */

type Parse = (text: string) => unknown;

const oids = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  oid: 26,
  float4: 700,
  float8: 701,
};
const json = 114;
const jsonb = 3802;
const timestamptz = 1184;

const parseText: Parse = (text) => text;

function parseInt8(text: string): number | string {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
}

function parseTimestamp(text: string): Date | number {
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  if (text === '-infinity') return Number.NEGATIVE_INFINITY;
  // "2026-01-02 03:04:05.678901+00" lacks only the T and the minutes of the offset to be a format that ECMAScript defines.
  return new Date(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
}

function parseBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice('\\x'.length), 'hex'));
}

export const parsers: Record<number, Parse> = {
  [oids.bool]: (text) => text === 't',
  [oids.bytea]: parseBytes,
  [oids.int8]: parseInt8,
  [oids.int2]: Number,
  [oids.int4]: Number,
  [oids.oid]: Number,
  [oids.float4]: Number,
  [oids.float8]: Number,
  [json]: (text) => JSON.parse(text),
  [jsonb]: (text) => JSON.parse(text),
  [timestamptz]: parseTimestamp,
  // date and timestamp. PGlite would return Dates, but without a time zone they are not instants.
  1082: parseText,
  1114: parseText,
};

/** Array type → element type, for built-in types. PGlite resolves these, and arrays of enums, by itself. */
export const elementTypes: Record<number, number> = {
  1000: oids.bool,
  1001: oids.bytea,
  1003: 19,
  1005: oids.int2,
  1007: oids.int4,
  1009: 25,
  1014: 1042,
  1015: 1043,
  1016: oids.int8,
  1021: oids.float4,
  1022: oids.float8,
  1028: oids.oid,
  1115: 1114,
  1182: 1082,
  1185: timestamptz,
  1231: 1700,
  199: json,
  2951: 2950,
  3807: jsonb,
};

/** Encodes values that node-postgres and PGlite would encode differently. */
export function encodeParam(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(encodeParam);
  return value;
}

function writeJson(value: unknown): string {
  if (typeof value === 'string') return value;
  // PGlite would accept it, node-postgres would not: reject it here, so that both behave the same.
  if (Array.isArray(value)) throw new TypeError('Pass a list for json as JSON.stringify(list).');
  return JSON.stringify(value);
}

/** For PGlite only, which first asks the server for the type of each parameter. */
export const serializers: Record<number, (value: unknown) => string> = {
  [json]: writeJson,
  [jsonb]: writeJson,
  [oids.bytea]: (value) => {
    if (!(value instanceof Uint8Array)) throw new TypeError('Pass a Uint8Array for bytea.');
    return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  },
};
