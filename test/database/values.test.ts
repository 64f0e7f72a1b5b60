import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/connect.ts';
import { testDatabase } from '../support/database.ts';

let db: Database;
beforeAll(async () => {
  db = await testDatabase({ migrated: false });
  await db.query("create type mood as enum ('good', 'bad')");
});
afterAll(() => db.close());

const when = new Date('2026-02-03T04:05:06.789Z');
const uuid = '0198a8a2-3b1c-7000-8000-000000000001';

describe('returns the same JavaScript values on both databases', () => {
  const table: [string, unknown][] = [
    ['null::text', null],
    ['1::int2', 1],
    ['-7::int4', -7],
    ['3::oid', 3],
    ['1.5::float4', 1.5],
    ['0.1::float8', 0.1],
    ["'NaN'::float8", Number.NaN],
    ["'-Infinity'::float8", Number.NEGATIVE_INFINITY],
    ['count(*)', 1],
    ['9007199254740991::int8', Number.MAX_SAFE_INTEGER],
    ['9007199254740993::int8', '9007199254740993'],
    ["'-9223372036854775808'::int8", '-9223372036854775808'],
    ['12.340::numeric', '12.340'],
    ['sum(2::int8)', '2'],
    ['true', true],
    ['false', false],
    ['\'ünïcode, "quoted" \\ {x}\'::text', 'ünïcode, "quoted" \\ {x}'],
    ["'ab'::varchar(2)", 'ab'],
    ["'ab'::char(4)", 'ab  '],
    ["'ab'::name", 'ab'],
    [`'${uuid}'::uuid`, uuid],
    ["'good'::mood", 'good'],
    ["'2026-02-03 04:05:06.789+00'::timestamptz", when],
    ["'2026-02-03 09:35:06.789+05:30'::timestamptz", when],
    ["'2026-02-03 04:05:06.789123+00'::timestamptz", when],
    ["'infinity'::timestamptz", Number.POSITIVE_INFINITY],
    ["'2026-02-03 04:05:06'::timestamp", '2026-02-03 04:05:06'],
    ["'2026-02-03'::date", '2026-02-03'],
    ["'04:05:06'::time", '04:05:06'],
    ["'1 day 02:00:00'::interval", '1 day 02:00:00'],
    ['\'{"a": [1, null, "x"]}\'::jsonb', { a: [1, null, 'x'] }],
    ["'[1, 2]'::json", [1, 2]],
    ["'null'::jsonb", null],
    ['\'"text"\'::jsonb', 'text'],
    ["'\\x00ff10'::bytea", new Uint8Array([0, 255, 16])],
    ["''::bytea", new Uint8Array()],
    ["'{}'::text[]", []],
    [
      "array['a', 'b,c', 'd\"e\\f', '', null, 'NULL']::text[]",
      ['a', 'b,c', 'd"e\\f', '', null, 'NULL'],
    ],
    [
      "'{{a,b},{c,d}}'::text[]",
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['array[1, 2]::int4[]', [1, 2]],
    ['array[1, 9007199254740993]::int8[]', [1, '9007199254740993']],
    ['array[1.10]::numeric[]', ['1.10']],
    ['array[true, false]', [true, false]],
    [`array['${uuid}']::uuid[]`, [uuid]],
    ["array['2026-02-03 04:05:06.789+00']::timestamptz[]", [when]],
    ["array['2026-02-03']::date[]", ['2026-02-03']],
    ['array[\'{"a": "b,c"}\']::jsonb[]', [{ a: 'b,c' }]],
    ["array['\\x00ff']::bytea[]", [new Uint8Array([0, 255])]],
  ];

  it.each(table)('%s', async (sql, expected) => {
    const [simple] = await db.query(`select ${sql} as value`);
    const [extended] = await db.query(`select ${sql} as value where $1`, [true]);
    expect(simple?.value).toStrictEqual(expected);
    expect(extended?.value).toStrictEqual(expected);
  });

  it('bytea as a plain Uint8Array, not a Buffer', async () => {
    const [row] = await db.query("select '\\x01'::bytea as value");
    expect(Object.getPrototypeOf(row?.value)).toBe(Uint8Array.prototype);
  });
});

describe('parameters keep their values', () => {
  const table: [string, unknown, unknown?][] = [
    ['text', null],
    ['text', undefined, null],
    ['text', 'it\'s "quoted" \\'],
    ['text', ''],
    ['text', 5, '5'],
    ['text', true, 'true'],
    ['text', when, '2026-02-03T04:05:06.789Z'],
    ['timestamptz', when],
    ['timestamptz', '2026-02-03T04:05:06.789Z', when],
    ['timestamptz[]', [when, null]],
    ['bool', true],
    ['bool', false],
    ['int4', 42],
    ['int8', 42],
    ['int8', 2n ** 62n, (2n ** 62n).toString()],
    ['numeric', 1.25, '1.25'],
    ['numeric', '1.250', '1.250'],
    ['float8', 0.1],
    ['uuid', uuid],
    ['mood', 'bad'],
    ['text[]', []],
    ['text[]', ['a', 'b,c', 'd"e\\f', '', null, 'NULL', '{}']],
    ['int4[]', [1, 2]],
    ['uuid[]', [uuid]],
    ['bool[]', [true, false]],
    ['jsonb', { a: { b: [1, 'x', null, true] }, 'c"d': "e'f" }],
    ['jsonb', {}],
    ['jsonb', null],
    ['jsonb', JSON.stringify([1, 2]), [1, 2]],
    ['jsonb', JSON.stringify('text'), 'text'],
    ['jsonb', { when }, { when: when.toISOString() }],
    ['json', { a: 1 }],
    ['bytea', new Uint8Array([0, 1, 255])],
    ['bytea', new Uint8Array([9, 0, 1, 255]).subarray(1), new Uint8Array([0, 1, 255])],
  ];

  it.each(table)('%s (%#)', async (type, given, expected = given) => {
    const [row] = await db.query(`select $1::${type} as value`, [given]);
    expect(row?.value).toStrictEqual(expected);
  });

  it('rejects a list for json on both databases', async () => {
    await expect(db.query('select $1::jsonb', [[1, 2]])).rejects.toThrow();
    await expect(db.query('select $1::jsonb', [['a']])).rejects.toThrow();
  });

  it('rejects a bare string for json on both databases', async () => {
    await expect(db.query('select $1::jsonb', ['no json'])).rejects.toMatchObject({
      code: '22P02',
    });
  });

  it('accepts a list for any()', async () => {
    const rows = await db.query('select x from generate_series(1, 5) x where x = any($1)', [
      [2, 4],
    ]);
    expect(rows).toEqual([{ x: 2 }, { x: 4 }]);
  });
});
