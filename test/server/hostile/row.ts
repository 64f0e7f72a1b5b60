import type { AnyOperation, Operation } from '../../support/transports.ts';
import type { TransportGroup } from './transport-groups.ts';

/** The configuration of the server: defaults, no introspection, or trusted documents only. */
export type ServerKind = 'open' | 'closed' | 'trusted';

/** The same code and message on every transport; a WebSocket may have to close with `closeCode` instead. */
export type Verdict = { code: string; message: string | RegExp; closeCode?: number };

export const kinds = ['query', 'mutation', 'subscription'] as const;
export type Kind = (typeof kinds)[number];

/** The reason why an attack cannot be this kind of operation. */
export type Cannot = { cannot: string };

/** The attack as each kind of operation. A row without a kind and without a reason does not compile. */
export type Requests = Record<Kind, AnyOperation | Cannot>;

/** A different verdict on one transport, with its reason. */
export type Exception = { why: string; verdict?: Verdict | 'executed'; allowed?: Requests };

export type Row = {
  name: string;
  at?: ServerKind;
  verdict: Verdict | 'executed';
  /** Rejected before the document is parsed. Other mutations by GET are rejected for their method, after parsing. */
  isRejectedUnparsed?: true;
  hostile: Requests;
  /** The same operations just below the limit, or corrected: they are executed. */
  allowed: Requests;
  transports: Record<TransportGroup, 'same' | Exception>;
};

/** For an attack that only queries can contain. */
export function onlyQuery(query: AnyOperation, why: string): Requests {
  return { query, mutation: { cannot: why }, subscription: { cannot: why } };
}

/** For an attack that only mutations can contain. */
export function onlyMutation(mutation: AnyOperation | Cannot, why: string): Requests {
  return { query: { cannot: why }, mutation, subscription: { cannot: why } };
}

/** For an attack on the rules of subscriptions. */
export function onlySubscription(
  subscription: AnyOperation | Cannot,
  cannot = 'only a subscription must select exactly one field',
): Requests {
  return { query: { cannot }, mutation: { cannot }, subscription };
}

/** Builds the request for each kind. */
export function eachKind(make: (document: string, kind: Kind) => AnyOperation): Requests {
  const { query, mutation, subscription } = validDocuments;
  return {
    query: make(query, 'query'),
    mutation: make(mutation, 'mutation'),
    subscription: make(subscription, 'subscription'),
  };
}

export const everywhere = {
  POST: 'same',
  GET: 'same',
  SSE: 'same',
  multipart: 'same',
  WS: 'same',
} as const;

export const tooLarge: Verdict = {
  code: 'REQUEST_TOO_LARGE',
  message: 'The request is too large.',
};

export const longUrl = { why: 'Node accepts 16 kB of URL and headers' };

export const invalid = (message: string): Verdict => ({
  code: 'GRAPHQL_VALIDATION_FAILED',
  message,
});

export const times = (count: number, each: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => each(n)).join(' ');

/** A text in as many lists. */
export const nested = (levels: number): unknown => (levels === 0 ? 'x' : [nested(levels - 1)]);

export const zeros = (count: number) => Array.from({ length: count }, () => 0);

export const q = (query: string, variables?: Record<string, unknown>): Operation => ({
  query,
  ...(variables && { variables }),
});

export const create =
  'createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { __typename }';

/** A valid document of each kind. */
export const validDocuments: Record<Kind, string> = {
  query: '{ viewer { name } }',
  mutation: `mutation { ${create} }`,
  subscription: 'subscription { lipsyncProgress(id: "x") { __typename } }',
};

export const viewer = q(validDocuments.query);

export const validRequests = eachKind((document) => q(document));

type Framing = { declare?: string; definitions?: string; variables?: Record<string, unknown> };

/** Each kind of operation with this selection on a Lipsync. */
export function aroundLipsync(selection: string, framing: Framing = {}): Requests {
  const { declare = '', definitions = '', variables } = framing;
  return {
    query: q(`query ${declare} { lipsync(id: "x") { ${selection} } } ${definitions}`, variables),
    mutation: q(
      `mutation ${declare} { createLipsync(input: { video: { videoId: "x" }, speech: { script: { text: "x" } } }) { ... on CreateLipsyncSuccess { lipsync { ${selection} } } } } ${definitions}`,
      variables,
    ),
    subscription: q(
      `subscription ${declare} { lipsyncProgress(id: "x") { ... on LipsyncProgress { lipsync { ${selection} } } } } ${definitions}`,
      variables,
    ),
  };
}

const byReference = 'query ($filter: LipsyncFilter) { lipsyncs(filter: $filter) { nodes { id } } }';
const createBy =
  'mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { __typename } }';
const watchAfter =
  'subscription ($after: String) { lipsyncProgress(id: "x", after: $after) { __typename } }';

/** Each kind of operation with this text in its variables. */
export function withText(text: unknown): Requests {
  const speech = { script: { text: 'x' } };
  return {
    query: q(byReference, { filter: { reference: text } }),
    mutation: q(createBy, { input: { video: { videoId: 'x' }, speech, reference: text } }),
    subscription: q(watchAfter, { after: text }),
  };
}

/** Each kind of operation with an id in its variables. */
export function byId(variables: Record<string, unknown>): Requests {
  return {
    query: q('query ($id: ID!) { lipsync(id: $id) { id } }', variables),
    mutation: q(
      'mutation ($id: ID!) { cancelLipsync(input: { id: $id }) { __typename } }',
      variables,
    ),
    subscription: q(
      'subscription ($id: ID!) { lipsyncProgress(id: $id) { __typename } }',
      variables,
    ),
  };
}

export const tooDeep = (message: string): Verdict => ({ code: 'DOCUMENT_TOO_DEEP', message });
