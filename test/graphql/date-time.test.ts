import { GraphQLScalarType } from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/schema.ts';

const type = schema.getType('DateTime');
if (!(type instanceof GraphQLScalarType)) throw new Error('DateTime is not a scalar.');
const { parseValue, serialize } = type;

describe('works', () => {
  it.each([
    ['2026-01-31T12:34:56Z', '2026-01-31T12:34:56.000Z'],
    ['2024-02-29t12:34:56.1234567z', '2024-02-29T12:34:56.123Z'],
    ['2026-01-01T00:00:00+02:30', '2025-12-31T21:30:00.000Z'],
    ['0050-01-01T00:00:00Z', '0050-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('reads %s as an instant', (text, instant) => {
    expect((parseValue(text) as Date).toISOString()).toBe(instant);
    expect(serialize(text)).toBe(instant);
  });

  it('writes a Date as its text in UTC', () => {
    expect(serialize(new Date(0))).toBe('1970-01-01T00:00:00.000Z');
  });
});

describe('refuses', () => {
  it.each([
    '2026-02-30T12:34:56Z',
    '2023-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-01-31T24:00:00Z',
    '2026-01-31T12:34:60Z',
    '2026-01-01T00:00:00',
    '2026-01-01T00:00:00|02:30',
    '2026-01-01',
    ' 2026-01-31T12:34:56Z',
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+14:00',
    '9999-12-31T23:59:59-01:00',
    '',
    5,
    null,
    {},
  ])('%j', (value) => {
    expect(() => parseValue(value)).toThrow(/^A DateTime must be/);
  });
});
