import type { Request } from './doors.ts';
import {
  byReference,
  everywhere,
  invalid,
  longUrl,
  q,
  type Row,
  tooLarge,
  type Verdict,
  viewer,
} from './row.ts';

const badVariable = (message: string): Verdict => ({ code: 'BAD_USER_INPUT', message });

const unparsed = (message: string): Verdict => ({ code: 'GRAPHQL_PARSE_FAILED', message });

const nested = (levels: number): unknown => (levels === 0 ? 'x' : [nested(levels - 1)]);

const noVariables = 'query ($of: ID = "x") { node(id: $of) { id } }';

/** JSON that `JSON.stringify` would not write. */
const rawVariables = (variables: string, query = noVariables): Request => ({
  body: `{"query":${JSON.stringify(query)},"variables":${variables},"extensions":{"operationId":"raw"}}`,
  search: new URLSearchParams({ query, variables }).toString(),
  payload: `{"query":${JSON.stringify(query)},"variables":${variables}}`,
});

/** Variables and literals that nobody meant. */
export const values: Row[] = [
  {
    name: 'variables that would be the prototype: nobody reads them',
    verdict: 'executed',
    hostile: {
      query: rawVariables(
        '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}',
      ),
    },
    allowed: { query: viewer },
    doors: everywhere,
  },
  {
    name: 'a field of an input that would be the prototype',
    verdict: badVariable(
      'Variable "$filter" got an invalid value; Field "__proto__" is not defined by type "LipsyncFilter".',
    ),
    hostile: { query: rawVariables('{"filter":{"__proto__":{"reference":"x"}}}', byReference) },
    allowed: { query: rawVariables('{"filter":{"reference":"x"}}', byReference) },
    doors: everywhere,
  },
  {
    name: 'variables that are nested a thousand times',
    verdict: badVariable(
      'Variable "$filter" got an invalid value at "filter.reference"; String cannot represent this value.',
    ),
    hostile: { query: q(byReference, { filter: { reference: nested(1_000) } }) },
    allowed: { query: q(byReference, { filter: { reference: nested(0) } }) },
    doors: everywhere,
  },
  {
    name: 'a variable of another type',
    verdict: badVariable('Variable "$n" got an invalid value; Int cannot represent this value.'),
    hostile: { query: q('query ($n: Int) { lipsyncs(first: $n) { nodes { id } } }', { n: '1' }) },
    allowed: { query: q('query ($n: Int) { lipsyncs(first: $n) { nodes { id } } }', { n: 1 }) },
    doors: everywhere,
  },
  {
    name: 'a variable that is missing',
    verdict: badVariable('Variable "$id" of required type "ID!" was not provided.'),
    hostile: {
      query: q('query ($id: ID!) { lipsync(id: $id) { id } }'),
      mutation: q('mutation ($id: ID!) { cancelLipsync(input: { id: $id }) { __typename } }'),
      subscription: q('subscription ($id: ID!) { lipsyncProgress(id: $id) { __typename } }'),
    },
    allowed: {
      query: q('query ($id: ID!) { lipsync(id: $id) { id } }', { id: 'x' }),
      mutation: q('mutation ($id: ID!) { cancelLipsync(input: { id: $id }) { __typename } }', {
        id: 'x',
      }),
      subscription: q('subscription ($id: ID!) { lipsyncProgress(id: $id) { __typename } }', {
        id: 'x',
      }),
    },
    doors: everywhere,
  },
  {
    name: 'an argument of another type',
    verdict: invalid('Int cannot represent non-integer value: "1"'),
    hostile: { query: q('{ lipsyncs(first: "1") { nodes { id } } }') },
    allowed: { query: q('{ lipsyncs(first: 1) { nodes { id } } }') },
    doors: everywhere,
  },
  {
    name: 'a null byte in a document',
    verdict: unparsed('Syntax Error: Unexpected character: U+0000.'),
    hostile: { query: q('{ viewer { name } }\u0000') },
    allowed: { query: q('{ viewer { name } }\ufeff') },
    doors: everywhere,
  },
  {
    name: 'half a surrogate pair in a document',
    verdict: unparsed('Syntax Error: Invalid Unicode escape sequence: "\\uD800".'),
    hostile: { query: q('{ node(id: "\\uD800") { id } }') },
    allowed: { query: q('{ node(id: "\\uD83D\\uDE00") { id } }') },
    doors: everywhere,
  },
  {
    name: 'null bytes and half a surrogate pair in variables: nothing is found by them',
    verdict: 'executed',
    hostile: { query: q(byReference, { filter: { reference: '\u0000\ud800' } }) },
    allowed: { query: q(byReference, { filter: { reference: '\ud83d\ude00' } }) },
    doors: everywhere,
  },
  {
    name: 'null bytes in ids: nothing is found by them',
    verdict: 'executed',
    hostile: {
      query: q(
        'query ($id: ID!) { node(id: $id) { id } lipsync(id: $id) { id } upload(id: $id) { id } }',
        { id: '\u0000' },
      ),
      mutation: q('mutation ($id: ID!) { cancelLipsync(input: { id: $id }) { __typename } }', {
        id: 'TGlwc3luYzoA',
      }),
      subscription: q(
        'subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) { __typename } }',
        { id: 'TGlwc3luYzoA', after: '\u0000' },
      ),
    },
    allowed: { query: viewer },
    doors: everywhere,
  },
  {
    name: 'a megabyte of variables',
    verdict: tooLarge,
    isRefusedUnparsed: true,
    hostile: { query: q(byReference, { filter: { reference: 'x'.repeat(1_000_000) } }) },
    allowed: { query: q(byReference, { filter: { reference: 'x'.repeat(999_000) } }) },
    doors: {
      ...everywhere,
      GET: {
        ...longUrl,
        verdict: tooLarge,
        allowed: q(byReference, { filter: { reference: 'x'.repeat(10_000) } }),
      },
    },
  },
  {
    name: 'five megabytes of variables',
    verdict: tooLarge,
    isRefusedUnparsed: true,
    hostile: { query: q(byReference, { filter: { reference: 'x'.repeat(5_000_000) } }) },
    allowed: { query: viewer },
    doors: {
      ...everywhere,
      WS: {
        why: 'so large a message is not read, and the rest of the socket would be the rest of it',
        verdict: { ...tooLarge, closed: 1009 },
      },
    },
  },
];
