import type { AnyOperation, Operation } from '../../support/transports.ts';
import {
  aroundLipsync,
  byId,
  eachKind,
  everywhere,
  invalid,
  longUrl,
  nested,
  onlyMutation,
  q,
  type Requests,
  type Row,
  tooLarge,
  type Verdict,
  validRequests,
  withText,
  zeros,
} from './row.ts';

const badVariable = (message: string | RegExp): Verdict => ({ code: 'BAD_USER_INPUT', message });

const unparsed = (message: string): Verdict => ({ code: 'GRAPHQL_PARSE_FAILED', message });

const valuesTooDeep: Verdict = {
  code: 'VALUES_TOO_DEEP',
  message: 'Values nest at most 20 levels.',
};

/** A variable that the document does not declare: it is checked, and then ignored. */
const unusedVariable = (value: unknown) => eachKind((document) => q(document, { unused: value }));

const literalLists = (levels: number) => `${'['.repeat(levels)}"x"${']'.repeat(levels)}`;

const withReference = (reference: string): Requests => ({
  query: q(`{ lipsyncs(filter: { reference: ${reference} }) { nodes { id } } }`),
  mutation: q(`mutation { cancelLipsync(input: { id: ${reference} }) { __typename } }`),
  subscription: q(`subscription { lipsyncProgress(id: ${reference}) { __typename } }`),
});

/** JSON that `JSON.stringify` cannot produce. */
const rawVariables = (query: string, variables: string): AnyOperation => ({
  body: `{"query":${JSON.stringify(query)},"variables":${variables},"extensions":{"operationId":"raw"}}`,
  search: new URLSearchParams({ query, variables }).toString(),
  payload: `{"query":${JSON.stringify(query)},"variables":${variables}}`,
});

const byReference = 'query ($filter: LipsyncFilter) { lipsyncs(filter: $filter) { nodes { id } } }';
const cancel =
  'mutation ($input: CancelLipsyncInput!) { cancelLipsync(input: $input) { __typename } }';

/** An input with one field and another one. */
const inInput = (filter: string, input: string): Requests => ({
  query: rawVariables(byReference, `{"filter":${filter}}`),
  mutation: rawVariables(cancel, `{"input":${input}}`),
  subscription: { cannot: 'no argument of a subscription is an input' },
});

const size = (n: unknown) =>
  aroundLipsync('events(first: $n) { nodes { cursor } }', {
    declare: '($n: Int)',
    variables: { n },
  });

const withId = (id: string): Requests => ({
  query: q(`{ node(id: "${id}") { id } }`),
  mutation: q(`mutation { cancelLipsync(input: { id: "${id}" }) { __typename } }`),
  subscription: q(`subscription { lipsyncProgress(id: "${id}") { __typename } }`),
});

const onlyMutationsCallBack = 'only mutations have a callbackUrl';

const privateUrls = [
  'http://[::ffff:7f00:1]/',
  'http://0x7f.1/',
  'http://169.254.169.254/',
  ' http://127.0.0.1/',
  'http:127.0.0.1',
];

/** Creates a lip-sync with each of these as its `callbackUrl`. */
function createWithCallbacks(urls: readonly string[]): Operation {
  const declared = urls.map((_, n) => `$u${n}: URL`).join(' ');
  const fields = urls.map(
    (
      _,
      n,
    ) => `c${n}: createLipsync(input: { video: { videoId: "x" }, speech: { script: { text: "x" } },
      callbackUrl: $u${n} }) { __typename }`,
  );
  const variables = Object.fromEntries(urls.map((url, n) => [`u${n}`, url]));
  return q(`mutation (${declared}) { ${fields.join(' ')} }`, variables);
}

/** Malformed variables and literals. */
export const values: Row[] = [
  {
    name: 'variables named __proto__: ignored',
    verdict: 'executed',
    hostile: eachKind((document) =>
      rawVariables(
        document,
        '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}',
      ),
    ),
    allowed: validRequests,
    transports: everywhere,
  },
  {
    name: 'an input field named __proto__',
    verdict: badVariable(
      /^Variable "\$\w+" got an invalid value; Field "__proto__" is not defined by type "\w+"\.$/,
    ),
    hostile: inInput('{"__proto__":{"reference":"x"}}', '{"__proto__":{"id":"x"},"id":"x"}'),
    allowed: inInput('{"reference":"x"}', '{"id":"x"}'),
    transports: everywhere,
  },
  {
    name: 'variables nested a thousand levels deep',
    verdict: valuesTooDeep,
    isRejectedUnparsed: true,
    hostile: withText(nested(1_000)),
    allowed: withText(nested(0)),
    transports: everywhere,
  },
  {
    name: 'variables nested 21 levels deep',
    verdict: valuesTooDeep,
    isRejectedUnparsed: true,
    // The object of all variables is the first level.
    hostile: unusedVariable(nested(20)),
    allowed: unusedVariable(nested(19)),
    transports: everywhere,
  },
  {
    name: 'a list of 2,001 values',
    verdict: { code: 'VALUES_TOO_LARGE', message: 'A list has at most 2000 values.' },
    isRejectedUnparsed: true,
    hostile: unusedVariable(zeros(2_001)),
    allowed: unusedVariable(zeros(2_000)),
    transports: everywhere,
  },
  {
    name: '10,001 values in many lists',
    verdict: { code: 'VALUES_TOO_LARGE', message: 'A request has at most 10000 values.' },
    isRejectedUnparsed: true,
    hostile: unusedVariable(Array.from({ length: 12 }, () => zeros(900))),
    allowed: unusedVariable(Array.from({ length: 10 }, () => zeros(900))),
    transports: {
      ...everywhere,
      GET: { ...longUrl, verdict: tooLarge, allowed: unusedVariable(zeros(900)) },
    },
  },
  {
    name: 'literals nested 21 levels deep',
    verdict: valuesTooDeep,
    hostile: withReference(literalLists(21)),
    allowed: withReference('"x"'),
    transports: everywhere,
  },
  {
    name: 'a variable of another type',
    verdict: badVariable('Variable "$n" got an invalid value; Int cannot represent this value.'),
    hostile: size('1'),
    allowed: size(1),
    transports: everywhere,
  },
  {
    name: 'a variable that is missing',
    verdict: badVariable('Variable "$id" of required type "ID!" was not provided.'),
    hostile: byId({}),
    allowed: byId({ id: 'x' }),
    transports: everywhere,
  },
  {
    name: 'an argument of another type',
    verdict: invalid('Int cannot represent non-integer value: "1"'),
    hostile: aroundLipsync('events(first: "1") { nodes { cursor } }'),
    allowed: aroundLipsync('events(first: 1) { nodes { cursor } }'),
    transports: everywhere,
  },
  {
    name: 'a null byte in a document',
    verdict: unparsed('Syntax Error: Unexpected character: U+0000.'),
    isRejectedUnparsed: true,
    hostile: eachKind((document) => q(`\u0000${document}`)),
    allowed: eachKind((document) => q(`\ufeff${document}`)),
    transports: everywhere,
  },
  {
    name: 'half a surrogate pair in a document',
    verdict: unparsed('Syntax Error: Invalid Unicode escape sequence: "\\uD800".'),
    isRejectedUnparsed: true,
    hostile: withId('\\uD800'),
    allowed: withId('\\uD83D\\uDE00'),
    transports: everywhere,
  },
  {
    name: 'null bytes and half a surrogate pair in variables: no match',
    verdict: 'executed',
    hostile: withText('\u0000\ud800'),
    allowed: withText('\ud83d\ude00'),
    transports: everywhere,
  },
  {
    name: 'null bytes in ids: no match',
    verdict: 'executed',
    hostile: byId({ id: 'TGlwc3luYzoA' }),
    allowed: byId({ id: 'TGlwc3luYzox' }),
    transports: everywhere,
  },
  {
    name: 'null bytes as ids: no match',
    verdict: 'executed',
    hostile: byId({ id: '\u0000' }),
    allowed: byId({ id: 'x' }),
    transports: everywhere,
  },
  {
    name: 'private addresses as callbackUrl, in many spellings: executed, with a typed error',
    verdict: 'executed',
    hostile: onlyMutation(createWithCallbacks(privateUrls), onlyMutationsCallBack),
    allowed: onlyMutation(createWithCallbacks(['https://example.com/']), onlyMutationsCallBack),
    transports: everywhere,
  },
  {
    name: 'a megabyte of variables',
    verdict: tooLarge,
    isRejectedUnparsed: true,
    hostile: withText('x'.repeat(1_000_000)),
    allowed: withText('x'.repeat(999_000)),
    transports: {
      ...everywhere,
      GET: { ...longUrl, verdict: tooLarge, allowed: withText('x'.repeat(10_000)) },
    },
  },
  {
    name: 'five megabytes of variables',
    verdict: tooLarge,
    isRejectedUnparsed: true,
    hostile: withText('x'.repeat(5_000_000)),
    allowed: validRequests,
    transports: {
      ...everywhere,
      WS: {
        why: 'a message above the limit is not read, so the connection cannot continue after it',
        verdict: { ...tooLarge, closeCode: 1009 },
      },
    },
  },
];
