import type { Door, Params, Request } from './doors.ts';

/** Which server: with all defaults, without introspection, or with trusted documents only. */
export type Place = 'open' | 'closed' | 'trusted';

/** Told by each door in the same words; a WebSocket may have to close instead. */
export type Verdict = { code: string; message: string | RegExp; closed?: number };

/** How a door differs, and why it must. */
export type Exception = { why: string; verdict?: Verdict | 'executed'; allowed?: Request };

export type Row = {
  name: string;
  at?: Place;
  verdict: Verdict | 'executed';
  /** A mutation by GET is refused as such once its document was parsed. */
  isRefusedUnparsed?: true;
  /** The same attack, as each kind of operation that can carry it. */
  hostile: { query?: Request; mutation?: Request; subscription?: Request };
  /** Just below the limit, or right where the attack is wrong: it is executed. */
  allowed: { query?: Request; mutation?: Request; subscription?: Request };
  doors: Record<Door, 'same' | Exception>;
};

export const everywhere = {
  POST: 'same',
  GET: 'same',
  SSE: 'same',
  WS: 'same',
  STREAM: 'same',
} as const;

export const tooLarge: Verdict = {
  code: 'REQUEST_TOO_LARGE',
  message: 'The request is too large.',
};

export const longUrl = { why: 'Node takes 16 kB of a URL' };

export const invalid = (message: string): Verdict => ({
  code: 'GRAPHQL_VALIDATION_FAILED',
  message,
});

export const times = (count: number, each: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => each(n)).join(' ');

export const q = (query: string, variables?: Record<string, unknown>): Params => ({
  query,
  ...(variables && { variables }),
});

/** Each kind of operation around a selection of what may be a lip-sync. */
export const aroundLipsync = (selection: string, definitions = '') => ({
  query: q(`query { lipsync(id: "x") { ${selection} } } ${definitions}`),
  mutation: q(
    `mutation { createLipsync(input: { video: { id: "x" }, speech: { text: { text: "x" } } }) { ... on CreateLipsyncSuccess { lipsync { ${selection} } } } } ${definitions}`,
  ),
  subscription: q(
    `subscription { lipsyncProgress(id: "x") { ... on LipsyncProgress { lipsync { ${selection} } } } } ${definitions}`,
  ),
});

export const create =
  'createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { __typename }';

export const viewer = q('{ viewer { name } }');

export const byReference =
  'query ($filter: LipsyncFilter) { lipsyncs(filter: $filter) { nodes { id } } }';

export const tooDeep = (message: string): Verdict => ({ code: 'DOCUMENT_TOO_DEEP', message });

export const trustedDocuments = { viewer: '{ viewer { name } }' };
