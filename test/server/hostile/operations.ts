import { create, everywhere, invalid, q, type Row, type Verdict, viewer } from './row.ts';

const unparsed = (message: string): Verdict => ({ code: 'GRAPHQL_PARSE_FAILED', message });

const unnamed: Verdict = {
  code: 'OPERATION_RESOLUTION_FAILURE',
  message: 'Could not determine what operation to execute.',
};

const closes = { why: 'the protocol closes the socket over what is no operation' };
const badMessage: Verdict = { code: 'BAD_REQUEST', message: '', closed: 4400 };

/** Documents and parameters that say what is meant badly, or not at all. */
export const operations: Row[] = [
  {
    name: 'an operation that is not there',
    verdict: unnamed,
    hostile: {
      query: { ...q('query A { viewer { name } }'), operationName: 'B' },
      mutation: { ...q(`mutation A { ${create} }`), operationName: 'B' },
      subscription: {
        ...q('subscription A { lipsyncProgress(id: "x") { __typename } }'),
        operationName: 'B',
      },
    },
    allowed: {
      query: { ...q('query A { viewer { name } }'), operationName: 'A' },
      mutation: { ...q(`mutation A { ${create} }`), operationName: 'A' },
      subscription: {
        ...q('subscription A { lipsyncProgress(id: "x") { __typename } }'),
        operationName: 'A',
      },
    },
    isRefusedUnparsed: true,
    doors: everywhere,
  },
  {
    name: 'several operations without a name',
    verdict: unnamed,
    hostile: { query: q('{ viewer { name } } { viewer { scopes } }') },
    allowed: { query: viewer },
    doors: everywhere,
  },
  {
    name: 'several operations, and none is named',
    verdict: unnamed,
    hostile: {
      query: q(
        `query A { viewer { name } } mutation B { ${create} } subscription C { lipsyncProgress(id: "x") { __typename } }`,
      ),
    },
    allowed: {
      query: {
        ...q(
          `query A { viewer { name } } mutation B { ${create} } subscription C { lipsyncProgress(id: "x") { __typename } }`,
        ),
        operationName: 'A',
      },
    },
    doors: everywhere,
  },
  {
    name: 'fragments only',
    verdict: unnamed,
    hostile: { query: q('fragment F on Query { viewer { name } }') },
    allowed: { query: q('{ ...F } fragment F on Query { viewer { name } }') },
    doors: everywhere,
  },
  {
    name: 'a type definition beside an operation',
    verdict: invalid('The "X" definition is not executable.'),
    hostile: { query: q('{ viewer { name } } type X { a: Int }') },
    allowed: { query: viewer },
    doors: everywhere,
  },
  {
    name: 'an empty document',
    verdict: unparsed('Syntax Error: Unexpected <EOF>.'),
    hostile: { query: q('') },
    allowed: { query: viewer },
    doors: {
      ...everywhere,
      GET: {
        why: 'an empty parameter of a URL is none',
        verdict: { code: 'BAD_REQUEST', message: 'The parameter "query" is missing.' },
      },
    },
  },
  {
    name: 'no document',
    verdict: { code: 'BAD_REQUEST', message: 'The parameter "query" is missing.' },
    hostile: { query: {} },
    allowed: { query: viewer },
    doors: { ...everywhere, WS: { ...closes, verdict: badMessage } },
  },
  {
    name: 'JSON that breaks off',
    verdict: { code: 'BAD_REQUEST', message: 'This request is not valid JSON.' },
    hostile: {
      query: {
        body: '{"query": ',
        search: 'query={viewer{name}}&variables={',
        payload: '{"query": ',
      },
    },
    allowed: { query: viewer },
    doors: { ...everywhere, WS: { ...closes, verdict: badMessage } },
  },
  {
    name: 'variables that are a list',
    verdict: {
      code: 'BAD_REQUEST',
      message: 'The parameter "variables" has another type.',
    },
    hostile: { query: { ...viewer, variables: [] } },
    allowed: { query: { ...viewer, variables: {} } },
    doors: { ...everywhere, WS: { ...closes, verdict: badMessage } },
  },
  {
    name: 'a parameter that would be the prototype',
    verdict: {
      code: 'BAD_REQUEST',
      message: 'There is no parameter "__proto__".',
    },
    hostile: {
      query: {
        body: '{"query":"{viewer{name}}","__proto__":{"query":"{__typename}"}}',
        search: 'query={viewer{name}}&__proto__={}',
        payload: '{"query":"{viewer{name}}","__proto__":{"query":"{__typename}"}}',
      },
    },
    allowed: { query: viewer },
    doors: {
      ...everywhere,
      GET: { why: 'of a URL only known parameters are read', verdict: 'executed' },
    },
  },
  {
    name: 'a batch of operations',
    verdict: {
      code: 'BATCHING_REFUSED',
      message: 'Operations are sent one at a time: this server takes no batches.',
    },
    hostile: {
      query: {
        body: JSON.stringify([viewer, viewer]),
        search: `query=${encodeURIComponent('{viewer{name}}')}&variables=[]`,
        payload: JSON.stringify([viewer, viewer]),
      },
    },
    allowed: { query: viewer },
    doors: {
      ...everywhere,
      GET: {
        why: 'a URL holds one operation: what comes nearest is a batch of variables',
        verdict: {
          code: 'BAD_REQUEST',
          message: 'The parameter "variables" has another type.',
        },
      },
    },
  },
];
