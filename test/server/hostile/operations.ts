import {
  create,
  eachKind,
  everywhere,
  type Kind,
  kinds,
  onlyQuery,
  q,
  type Row,
  type Verdict,
  validDocuments,
  validRequests,
  viewer,
} from './row.ts';

const unparsed = (message: string): Verdict => ({ code: 'GRAPHQL_PARSE_FAILED', message });

const unnamed: Verdict = {
  code: 'OPERATION_RESOLUTION_FAILURE',
  message: 'Could not determine what operation to execute.',
};

const closes = { why: 'the protocol closes the socket for a message that is not an operation' };
const badMessage: Verdict = { code: 'BAD_REQUEST', message: '', closeCode: 4400 };
const hash = JSON.stringify({ persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } });
const noKind = 'it is not an operation, so it has no kind';

/** Puts the kind in front, as in `query A { … }`. */
const named = (kind: Kind, name: string) =>
  validDocuments[kind].replace(/^(query|mutation|subscription)? *\{/, `${kind} ${name} {`);

/** All three operations, each named after its kind; that of `kind` comes first. */
const allThree = (first: Kind) =>
  [first, ...kinds.filter((kind) => kind !== first)].map((kind) => named(kind, kind)).join(' ');

const fragments: Record<Kind, string> = {
  query: 'fragment F on Query { viewer { name } }',
  mutation: `fragment F on Mutation { ${create} }`,
  subscription: 'fragment F on Subscription { lipsyncProgress(id: "x") { __typename } }',
};

const encode = encodeURIComponent;

/** Ambiguous or missing operations and parameters. */
export const operations: Row[] = [
  {
    name: 'an unknown operation name',
    verdict: unnamed,
    hostile: eachKind((_, kind) => ({ ...q(named(kind, 'A')), operationName: 'B' })),
    allowed: eachKind((_, kind) => ({ ...q(named(kind, 'A')), operationName: 'A' })),
    isRejectedUnparsed: true,
    transports: everywhere,
  },
  {
    name: 'several operations without a name',
    verdict: unnamed,
    hostile: eachKind((document) => q(`${document} ${document}`)),
    allowed: validRequests,
    isRejectedUnparsed: true,
    transports: everywhere,
  },
  {
    name: 'several operations without operationName',
    verdict: unnamed,
    hostile: eachKind((_, kind) => q(allThree(kind))),
    allowed: eachKind((_, kind) => ({ ...q(allThree(kind)), operationName: kind })),
    isRejectedUnparsed: true,
    transports: everywhere,
  },
  {
    name: 'fragments only',
    verdict: unnamed,
    hostile: eachKind((_, kind) => q(fragments[kind])),
    allowed: eachKind((_, kind) => q(`${kind} { ...F } ${fragments[kind]}`)),
    isRejectedUnparsed: true,
    transports: everywhere,
  },
  {
    name: 'a type definition beside an operation',
    verdict: {
      code: 'GRAPHQL_VALIDATION_FAILED',
      message: 'The "X" definition is not executable.',
    },
    hostile: eachKind((document) => q(`${document} type X { a: Int }`)),
    allowed: validRequests,
    transports: everywhere,
  },
  {
    name: 'an empty document',
    verdict: unparsed('Syntax Error: Unexpected <EOF>.'),
    hostile: onlyQuery(q(''), noKind),
    allowed: onlyQuery(viewer, noKind),
    transports: {
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
    hostile: onlyQuery({}, noKind),
    allowed: onlyQuery(viewer, noKind),
    transports: { ...everywhere, WS: { ...closes, verdict: badMessage } },
  },
  {
    name: 'the hash of a document without the document',
    verdict: { code: 'PERSISTED_QUERY_NOT_SUPPORTED', message: 'PersistedQueryNotSupported' },
    hostile: onlyQuery(
      {
        body: `{"extensions":${hash}}`,
        search: `extensions=${encode(hash)}`,
        payload: `{"extensions":${hash}}`,
      },
      noKind,
    ),
    allowed: onlyQuery(viewer, noKind),
    transports: everywhere,
  },
  {
    name: 'truncated JSON',
    verdict: { code: 'BAD_REQUEST', message: 'The request is not valid JSON.' },
    hostile: eachKind((document) => {
      const text = `{"query":${JSON.stringify(document)},"variables":{`;
      return { body: text, search: `query=${encode(document)}&variables={`, payload: text };
    }),
    allowed: validRequests,
    isRejectedUnparsed: true,
    transports: { ...everywhere, WS: { ...closes, verdict: badMessage } },
  },
  {
    name: 'variables that are a list',
    verdict: {
      code: 'BAD_REQUEST',
      message: 'The parameter "variables" has the wrong type.',
    },
    hostile: eachKind((document) => ({ ...q(document), variables: [] })),
    allowed: eachKind((document) => ({ ...q(document), variables: {} })),
    isRejectedUnparsed: true,
    transports: { ...everywhere, WS: { ...closes, verdict: badMessage } },
  },
  {
    name: 'a parameter named __proto__',
    verdict: {
      code: 'BAD_REQUEST',
      message: 'Unknown parameter "__proto__".',
    },
    hostile: eachKind((document) => {
      const text = `{"query":${JSON.stringify(document)},"__proto__":{"query":"{__typename}"}}`;
      return { body: text, search: `query=${encode(document)}&__proto__={}`, payload: text };
    }),
    allowed: validRequests,
    transports: {
      ...everywhere,
      GET: { why: 'of a URL only known parameters are read', verdict: 'executed' },
    },
  },
  {
    name: 'a batch of operations',
    verdict: {
      code: 'BATCHING_REFUSED',
      message: 'This server does not accept batches. Send one operation per request.',
    },
    hostile: eachKind((document) => {
      const text = JSON.stringify([q(document), q(document)]);
      return { body: text, search: `query=${encode(document)}&variables=[]`, payload: text };
    }),
    allowed: validRequests,
    isRejectedUnparsed: true,
    transports: {
      ...everywhere,
      GET: {
        why: 'a URL contains one operation; the nearest equivalent is a batch of variables',
        verdict: {
          code: 'BAD_REQUEST',
          message: 'The parameter "variables" has the wrong type.',
        },
      },
    },
  },
];
