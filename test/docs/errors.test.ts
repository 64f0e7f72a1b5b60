import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { getNamedType, isInterfaceType, isUnionType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/schema.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { pageOf, root } from './pages.ts';

const page = pageOf('docs/errors.md');

function codesIn(cell = ''): string[] {
  return [...cell.matchAll(/`([A-Z_]+)`/g)].flatMap(([, code]) => code ?? []);
}

/** The rows of the tables of request errors, by code. */
const requestErrors = new Map(
  page.rows
    .filter((row) => row.length === 5 && codesIn(row[0]).length > 0)
    .flatMap((row) => codesIn(row[0]).map((code) => [code, row] as const)),
);

/** Words in capitals in these folders that are not codes of request errors. */
const otherWords = [
  ...['CLIENT_LEFT', 'SERVER_STOPS', 'SIGNED_OUT', 'CONNECTION_FAILED', 'INVALID_INPUT'],
  ...['ERR_HTTP_REQUEST_TIMEOUT', 'HPE_HEADER_OVERFLOW'],
];

function wordsInServer(): Set<string> {
  const folder = join(root, 'src/server');
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /^(http|operation|sse|websocket)\b.*\.ts$/.test(name))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
  return new Set(
    sources.flatMap((text) =>
      [...text.matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g)].flatMap(([, word]) => word ?? []),
    ),
  );
}

describe('the error types', () => {
  test('have a section each', () => {
    const LipsyncError = schema.getType('LipsyncError');
    const types = isInterfaceType(LipsyncError) ? schema.getPossibleTypes(LipsyncError) : [];
    const shown = page.headings.filter((heading) => heading.endsWith('Error`'));
    expect(shown.toSorted()).toEqual(types.map(({ name }) => `\`${name}\``).toSorted());
  });

  test('have a row with the fields that can answer them', () => {
    const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
    const expected = new Map<string, string[]>();
    for (const { name, type } of roots.flatMap((root) => Object.values(root?.getFields() ?? {}))) {
      const union = getNamedType(type);
      if (!isUnionType(union)) continue;
      for (const type of union.getTypes().filter((each) => each.name.endsWith('Error'))) {
        expected.set(type.name, [...(expected.get(type.name) ?? []), name].toSorted());
      }
    }
    const shown = page.rows
      .filter(([cell, ...rest]) => rest.length === 1 && /^`\w+Error`$/.test(cell ?? ''))
      .map(([cell = '', fields = '']): [string, string[]] => [
        cell.slice(1, -1),
        [...fields.matchAll(/`(\w+)`/g)].flatMap(([, name]) => name ?? []),
      ]);
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(expected));
  });
});

describe('the request errors', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());

  test('are those of the server', () => {
    const words = wordsInServer().difference(new Set(otherWords));
    expect(
      [...requestErrors.keys()].filter((code) => code !== 'QUOTA_EXCEEDED').toSorted(),
    ).toEqual([...words.union(new Set(['NOT_FOUND']))].toSorted());
  });

  const aliases = Array.from({ length: 31 }, (_, at) => `a${at}: viewer { name }`).join(' ');
  const events = 'events(first: 100) { nodes { sequence } }';
  const ofDocument: [string, object][] = [
    ['GRAPHQL_PARSE_FAILED', { query: '{' }],
    ['GRAPHQL_VALIDATION_FAILED', { query: '{ nothing }' }],
    [
      'BAD_USER_INPUT',
      { query: 'query ($id: ID!) { lipsync(id: $id) { id } }', variables: { id: [] } },
    ],
    [
      'OPERATION_RESOLUTION_FAILURE',
      { query: 'query A { viewer { name } } query B { viewer { name } }' },
    ],
    ['DOCUMENT_TOO_LARGE', { query: `# ${'x'.repeat(65_536)}\n{ viewer { name } }` }],
    ['TOO_MANY_ALIASES', { query: `{ ${aliases} }` }],
    ['TOO_MANY_DIRECTIVES', { query: `{ viewer { name${' @include(if: true)'.repeat(51)} } }` }],
    ['VALUES_TOO_LARGE', { query: '{ __typename }', variables: { x: Array(2_001).fill(0) } }],
    ['VALUES_TOO_DEEP', { query: `{ nodes(ids: ${'['.repeat(21)}${']'.repeat(21)}) { id } }` }],
    ['COST_TOO_HIGH', { query: `{ lipsyncs(first: 100) { nodes { ${events} b: ${events} } } }` }],
  ];

  const send = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  test.each(ofDocument)('%s is answered 200 or 400, by the media type', async (code, body) => {
    expect(requestErrors.get(code)?.[1]).toBe('200 / 400');
    for (const [accept, status] of [
      ['application/json', 200],
      ['application/graphql-response+json', 400],
    ] as const) {
      const response = await send(body, { accept });
      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({ errors: [{ extensions: { code } }] });
    }
  });

  /** With `fetch` the header cannot be chosen. */
  const getWithHost = async (host: string) => {
    const [response] = await once(get(`${app.url}/livez`, { headers: { host } }), 'response');
    const text = (await (response as IncomingMessage).toArray()).join('');
    return new Response(text, { status: (response as IncomingMessage).statusCode ?? 0 });
  };

  const ofRequest: [string, () => Promise<Response>][] = [
    ['BAD_REQUEST', () => send({})],
    ['BATCHING_REFUSED', () => send([{ query: '{ viewer { name } }' }])],
    ['TOKEN_IN_URL', () => fetch(`${app.url}/graphql?token=x`)],
    [
      'FOREIGN_ORIGIN',
      () => fetch(`${app.url}/graphql`, { headers: { origin: 'https://foreign.example' } }),
    ],
    ['UNKNOWN_HOST', () => getWithHost('elsewhere.example')],
    ['NOT_ACCEPTABLE', () => send({ query: '{ viewer { name } }' }, { accept: 'text/plain' })],
    ['REQUEST_TOO_LARGE', () => send({ query: 'x'.repeat(1_100_000) })],
    ['UNSUPPORTED_CONTENT_TYPE', () => send({}, { 'content-type': 'text/plain' })],
  ];

  test.each(ofRequest)('%s has the documented status', async (code, ask) => {
    const response = await ask();
    const statuses = requestErrors.get(code)?.[1]?.split(', ') ?? [];
    expect(statuses).toContain(String(response.status));
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code } }] });
  });
});
