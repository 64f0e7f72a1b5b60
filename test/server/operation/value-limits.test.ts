import { buildSchema, type OperationDefinitionNode, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { coerceVariables } from '../../../src/server/operation/coerce-variables.ts';
import { checkJsonValues } from '../../../src/server/operation/value-limits.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { attempt, type RawOperation, transports } from '../../support/transports.ts';

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp();
});
afterAll(() => it?.stop());

const codeOf = (text: string, envelopeDepth = 0) =>
  checkJsonValues(Buffer.from(text), envelopeDepth)?.extensions.code;
const list = (count: number) => JSON.stringify(Array.from({ length: count }, () => 0));
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

describe('works', () => {
  test.each([
    ['a list of 2,000 values', list(2_000)],
    ['20 levels', nested(20)],
    ['brackets and commas in a string', JSON.stringify(`${'[,'.repeat(20_000)}"\\`)],
    ['an escaped quote before brackets', `"\\"${'['.repeat(30)}"`],
    ['a string without an end', `"${'['.repeat(30)}`],
    ['more closing than opening brackets', ']'.repeat(30)],
    ['nothing', ''],
  ])('%s is left to the parser', (_, text) => {
    expect(codeOf(text)).toBeUndefined();
  });

  test('the levels of the transport are not counted', () => {
    expect(codeOf(`{"id":"1","payload":{"variables":${nested(20)}}}`, 2)).toBeUndefined();
    expect(codeOf(`{"id":"1","payload":{"variables":${nested(21)}}}`, 2)).toBe('VALUES_TOO_DEEP');
  });
});

const schema = buildSchema(`
  enum Color { RED GREEN }
  input Paint { color: Color! layers: [Int!] note: String = "none" }
  type Query { paint(paint: Paint, count: Int!, colors: [Color!]): String }
`);

function coerce(declared: string, inputs: Record<string, unknown>) {
  const { definitions } = parse(`query (${declared}) { __typename }`);
  const operation = definitions[0] as OperationDefinitionNode;
  const result = coerceVariables({ schema, operation }, inputs, { hideSuggestions: true });
  return 'coerced' in result ? { ...result.coerced } : result.errors.map(({ message }) => message);
}

describe('refuses', () => {
  test.each([
    ['a list of 2,001 values', list(2_001), 'VALUES_TOO_LARGE'],
    [
      'a list that continues after a nested one',
      `[[1],${list(1_999).slice(1, -1)},1]`,
      'VALUES_TOO_LARGE',
    ],
    ['an object of 10,001 fields', `{${'"a":0,'.repeat(10_000)}"a":0}`, 'VALUES_TOO_LARGE'],
    ['21 levels', nested(21), 'VALUES_TOO_DEEP'],
    ['21 levels that are not JSON', '{"a":'.repeat(21), 'VALUES_TOO_DEEP'],
  ])('%s', (_, text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  // An invalid JSON text gets another error from the parser, so this error shows that it was not parsed.
  test.each(transports.filter((name) => name !== 'multipart form'))(
    'a megabyte of brackets over %s, before it is parsed',
    async (transport) => {
      const count = transport.endsWith('GET') ? 2_500 : 450_000;
      const brackets = `${'['.repeat(count)}not JSON${']'.repeat(count)}`;
      const query = '{ viewer { name } }';
      const text = `{"query":"${query}","variables":{"a":${brackets}}}`;
      const search = new URLSearchParams({ query, variables: `{"a":${brackets}}` }).toString();
      const operation: RawOperation = { body: text, search, payload: text };
      const { errors } = await attempt(transport, { url: it.url, operation });
      expect(errors?.[0]).toMatchObject({
        message: 'Values nest at most 20 levels.',
        extensions: { code: 'VALUES_TOO_DEEP' },
      });
    },
  );

  test.each([
    [
      'operations',
      { operations: `{"query":"{ viewer { name } }","variables":{"a":${list(2_001)}}}`, map: '{}' },
    ],
    ['map', { operations: '{"query":"{ viewer { name } }"}', map: `{"0":${list(2_001)}}` }],
  ])('a long list in the field %s of a multipart request', async (_, fields) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    const headers = { 'x-csrf': '1' };
    const response = await fetch(`${it.url}/graphql`, { method: 'POST', headers, body: form });
    const { errors } = (await response.json()) as { errors: { extensions: object }[] };
    expect(errors[0]?.extensions).toEqual({ code: 'VALUES_TOO_LARGE' });
  });

  test('a multipart request with more fields than the format has', async () => {
    const form = new FormData();
    form.append('operations', '{"query":"{ viewer { name } }"}');
    form.append('map', '{}');
    for (let n = 0; n < 20; n += 1) form.append(`${n}`, '');
    const headers = { 'x-csrf': '1' };
    const response = await fetch(`${it.url}/graphql`, { method: 'POST', headers, body: form });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'BAD_REQUEST' } }],
    });
  });

  test.each<[string, string, Record<string, unknown>, unknown]>([
    ['nothing for a nullable variable', '$paint: Paint', {}, {}],
    ['null for a nullable variable', '$paint: Paint', { paint: null }, { paint: null }],
    ['a default', '$count: Int! = 2', {}, { count: 2 }],
    [
      'defaults of fields',
      '$paint: Paint',
      { paint: { color: 'RED' } },
      { paint: { color: 'RED', note: 'none' } },
    ],
    [
      'a missing variable',
      '$count: Int!',
      {},
      ['Variable "$count" of required type "Int!" was not provided.'],
    ],
    [
      'null for a required variable',
      '$count: Int!',
      { count: null },
      ['Variable "$count" of non-null type "Int!" must not be null.'],
    ],
    [
      'several wrong fields',
      '$paint: Paint',
      { paint: { layers: [1, 'secret'], other: 1 } },
      [
        'Variable "$paint" got an invalid value; Field "color" of required type "Color!" was not provided.',
        'Variable "$paint" got an invalid value at "paint.layers[1]"; Int cannot represent this value.',
        'Variable "$paint" got an invalid value; Field "other" is not defined by type "Paint".',
      ],
    ],
  ])('variables by their types, and quotes no value: %s', (...[, declared, inputs, expected]) => {
    expect(coerce(declared, inputs)).toEqual(expected);
  });

  test('more than 50 wrong values with 50 errors and a last one', () => {
    const errors = coerce('$colors: [Color!]', { colors: Array.from({ length: 60 }, () => 7) });
    expect(errors).toHaveLength(51);
    expect((errors as string[]).at(-1)).toMatch(/^Too many errors/);
  });
});
