import fc from 'fast-check';
import type { GraphQLSchema } from 'graphql';
import { makeOperation } from './documents.ts';
import { type Draw, drawing } from './draw.ts';
import { type Envelope, mutate } from './mutations.ts';
import { contentTypes, nasty } from './values.ts';

export type RequestKind = 'post' | 'get' | 'sse' | 'socket' | 'multipart';

/** One request as data, so that it can be repeated and printed. */
export type Plan =
  | {
      kind: RequestKind;
      caller: Caller;
      envelope: Envelope;
      headers: Record<string, string>;
      /** The `map` of a multipart request. */
      map: unknown;
    }
  | { kind: 'callback' | 'upload' | 'path'; method: string; token: TokenPlan; body: BodyPlan }
  | { kind: 'messages'; caller: Caller; init: unknown; protocol: string; messages: string[] };

export type Caller =
  | 'admin'
  | 'writer'
  | 'reader'
  | 'anonymous'
  | 'expired'
  | 'unknown'
  | 'rubbish';
const callers: readonly Caller[] = [
  ...(['admin', 'admin', 'admin', 'writer', 'writer', 'anonymous', 'anonymous'] as const),
  ...(['reader', 'expired', 'unknown', 'rubbish'] as const),
];

/** The token in the path: a valid one, a modified one, or random text. */
export type TokenPlan = { from: 'given' | 'spoilt' | 'rubbish'; number: number; text: string };

export type BodyPlan = {
  headers: Record<string, string>;
  text: string;
  /** The size of the WAV at the start of an upload. */
  soundBytes: number;
  leavesEarly: boolean;
};

const methods = 'GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND LOCK SEARCH QUERY TRACE'.split(
  ' ',
);

export function operationPlans(schema: GraphQLSchema): fc.Arbitrary<Plan> {
  return drawing((draw): Plan => {
    const envelope = mutate(draw, makeOperation(draw, schema));
    const caller = draw.pick(callers);
    if (draw.chance(4)) return messagesPlan(draw, envelope);
    const kind = draw.pick(
      envelope.kind === 'subscription'
        ? (['sse', 'socket', 'socket', 'post', 'get'] as const)
        : (['post', 'post', 'get', 'sse', 'socket', 'multipart'] as const),
    );
    const headers = draw.chance(85) ? {} : oddHeaders(draw);
    return { kind, caller, envelope, headers, map: mapOf(draw) };
  });
}

function mapOf(draw: Draw): unknown {
  if (draw.chance(50)) return { 0: ['variables.v0'] };
  const variablePath = () =>
    draw.pick<unknown>([
      'variables.v0.file',
      'variables',
      'query',
      '',
      '.',
      'a.b.c',
      '__proto__.polluted',
      'variables.constructor.x',
      draw.any(nasty),
    ]);
  return draw.pick<unknown>([
    { 0: [variablePath(), variablePath()] },
    { 0: variablePath() },
    { 1: ['variables.v0'] },
    draw.any(nasty),
  ]);
}

function oddHeaders(draw: Draw): Record<string, string> {
  return draw.pick<Record<string, string>>([
    {
      accept: draw.pick([
        '*/*',
        'text/html',
        'text/event-stream',
        'application/graphql-response+json',
        'x/y;q=0',
        '',
      ]),
    },
    {
      'content-type': draw.pick([
        'text/plain',
        'application/graphql',
        'application/json; charset=utf-7',
        'application/x-www-form-urlencoded',
        'multipart/form-data',
        '',
      ]),
    },
    { 'content-encoding': draw.pick(['gzip', 'br', 'x']) },
    { 'x-request-id': draw.pick(['a b', 'ok', 'a'.repeat(500), '\u00ff']) },
    { 'last-event-id': draw.any(fc.string({ maxLength: 40 })) },
    { origin: draw.pick(['null', 'https://elsewhere.example', 'x', 'http://127.0.0.1']) },
    { host: draw.pick(['elsewhere.example', '[', 'a:b:c', '']) },
    { 'sec-fetch-site': 'cross-site' },
    { authorization: draw.any(fc.string({ maxLength: 60 })) },
    { expect: '100-continue' },
    { upgrade: draw.pick(['websocket', 'h2c', 'x']), connection: 'upgrade' },
    { [draw.any(fc.stringMatching(/^[a-z-]{1,20}$/))]: draw.any(fc.string({ maxLength: 80 })) },
  ]);
}

/** Conversations that violate the protocol, or nearly. */
function messagesPlan(draw: Draw, envelope: Envelope): Plan {
  const types = ['subscribe', 'complete', 'ping', 'pong', 'connection_init', 'next', 'error', 'x'];
  const message = () =>
    draw.pick([
      () =>
        JSON.stringify({
          id: draw.pick(['1', '1', '2', '']),
          type: draw.pick(types),
          payload: envelope.body,
        }),
      () => JSON.stringify({ id: '1', type: 'subscribe', payload: draw.any(nasty) }),
      () => JSON.stringify({ id: draw.any(nasty), type: draw.any(nasty) }),
      () => JSON.stringify(draw.any(nasty)) ?? '',
      () => draw.any(fc.string({ maxLength: 60 })),
    ])();
  return {
    kind: 'messages',
    caller: draw.pick(callers),
    init: draw.pick([undefined, {}, { authorization: draw.any(nasty) }, draw.any(nasty)]),
    protocol: draw.pick(['graphql-transport-ws', 'graphql-transport-ws', 'graphql-ws', 'x']),
    messages: Array.from({ length: 1 + draw.nat(4) }, message),
  };
}

/** Requests to the endpoints with a token in the path, and to unknown paths. */
export function tokenPlans(kind: 'callback' | 'upload' | 'path'): fc.Arbitrary<Plan> {
  const usual = { callback: 'POST', upload: 'PUT', path: 'GET' }[kind];
  return drawing((draw): Plan => {
    const isWhole = draw.chance(70);
    return {
      kind,
      method: draw.chance(75) ? usual : draw.pick(methods),
      token: {
        from: draw.pick(['given', 'given', 'spoilt', 'rubbish']),
        number: draw.nat(9_999),
        text: draw.any(
          fc.oneof(
            fc.stringMatching(/^[\w.%-]{0,240}$/),
            fc.constantFrom(
              '%00',
              '..%2f..',
              '%',
              '%ff%fe',
              'a/b',
              '.',
              '?',
              ';',
              '//',
              'metrics',
              'graphql/stream',
              'graphql/x/graphql/stream?query={__typename}',
              'graphql/../graphql/stream',
            ),
          ),
        ),
      },
      body: {
        headers: {
          ...(draw.chance(20) ? { 'content-type': draw.pick(contentTypes) } : {}),
          ...(draw.chance(80) ? {} : { ...oddHeaders(draw), ...oddLength(draw) }),
        },
        text: draw.pick([
          () => JSON.stringify(draw.any(nasty)) ?? '',
          () =>
            JSON.stringify({
              video_id: draw.any(nasty),
              video_status: draw.nat(12),
              url: 'http://127.0.0.1:1/',
            }),
          () => draw.any(fc.string({ unit: 'binary', maxLength: 200 })),
          () => 'x'.repeat(draw.nat(400_000)),
        ])(),
        soundBytes: isWhole ? draw.pick([0, 16_044, draw.nat(200_000)]) : 0,
        leavesEarly: draw.chance(8),
      },
    };
  });
}

function oddLength(draw: Draw): Record<string, string> {
  return draw.pick<Record<string, string>>([
    {},
    { 'content-length': draw.pick(['0', '5368709121', '9007199254740993']) },
    { 'transfer-encoding': 'chunked' },
  ]);
}
