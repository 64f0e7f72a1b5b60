import fc from 'fast-check';
import type { Operation } from './documents.ts';
import type { Draw } from './draw.ts';
import { addresses, nasty } from './values.ts';

/** The JSON of a request: an operation, possibly mutated. */
export type Envelope = { kind: Operation['kind']; body: unknown };

const odd = fc.oneof(
  fc.constantFrom(
    '{',
    '}',
    '(',
    ')',
    '"',
    '"""',
    '$',
    '@',
    '...',
    ':',
    '!',
    '|',
    '&',
    '#',
    '\\u',
    '\ufeff',
    '\0',
  ),
  fc.string({ maxLength: 8 }),
);

/** Mutates the text of a document. */
function spoilText(draw: Draw, query: string): string {
  const at = draw.nat(query.length);
  const to = Math.min(query.length, at + draw.nat(30));
  switch (draw.nat(9)) {
    case 0:
      return query.slice(0, at) + query.slice(to);
    case 1:
      return query.slice(0, to) + query.slice(at);
    case 2:
      return query.slice(0, at) + draw.any(odd) + query.slice(at);
    case 3:
      return query.slice(0, at);
    case 4:
      return query.replace(/\w+(?=[ (])/g, (name) => (draw.chance(8) ? `${name}x` : name));
    case 5:
      return `${query} ${query}`;
    case 6:
      return flood(draw);
    case 7:
      return query.replaceAll(' ', () => (draw.chance(5) ? '\n,#\n\ufeff' : ' '));
    case 8:
      return query.replace(/"[^"]*"/, () => JSON.stringify(draw.any(nasty)) ?? '""');
    default:
      return `fragment F on Query { ...F } ${query}`;
  }
}

/** Small documents that are expensive to execute. */
function flood(draw: Draw): string {
  const times = 10 + draw.nat(1_500);
  return draw.pick([
    `{${'a{'.repeat(times)}}`,
    `{ ${Array.from({ length: times }, (_, at) => `a${at}: __typename`).join(' ')} }`,
    `{ viewer { ${'name '.repeat(times)} } }`,
    `{ __typename ${'@skip(if: true) '.repeat(times)} }`,
    `query(${Array.from({ length: times }, (_, at) => `$v${at}: Int`).join()}) { __typename }`,
    `{ ${Array.from({ length: Math.min(times, 60) }, () => '__schema { types { fields { type { fields { name } } } } }').join(' ')} }`,
    `{ nodes(ids: [${Array.from({ length: times }, () => '"x"').join()}]) { id } }`,
    `{ _entities(representations: [${Array.from({ length: times }, () => '{ __typename: "Video", id: "x" }').join()}]) { __typename } }`,
    `${'{'.repeat(times)}`,
    `{ a(b: ${'['.repeat(times)}${']'.repeat(times)}) }`,
    `{ video(id: "${'é'.repeat(times)}") { id } }`,
  ]);
}

function spoilVariables(draw: Draw, variables: Record<string, unknown>): unknown {
  const names = Object.keys(variables);
  const name = names.length > 0 ? draw.pick(names) : 'v0';
  switch (draw.nat(4)) {
    case 0:
      return { ...variables, [name]: draw.any(nasty) };
    case 1:
      return Object.fromEntries(Object.entries(variables).filter(([each]) => each !== name));
    case 2:
      return {
        ...variables,
        [draw.pick(['x', '__proto__', 'constructor', 'v9'])]: draw.any(nasty),
      };
    case 3:
      return spoilWithin(draw, variables);
    default:
      return draw.any(nasty);
  }
}

/** A random position. */
function spoilWithin(draw: Draw, value: unknown): unknown {
  if (draw.chance(25) || typeof value !== 'object' || value === null) return draw.any(nasty);
  if (Array.isArray(value)) return [...value, draw.any(nasty)];
  const entries = Object.entries(value);
  const at = draw.nat(Math.max(0, entries.length - 1));
  return Object.fromEntries(
    entries.map(([key, each], index) => [key, index === at ? spoilWithin(draw, each) : each]),
  );
}

function spoilEnvelope(draw: Draw, { query, variables }: Operation): unknown {
  const body = { query, variables };
  switch (draw.nat(9)) {
    case 0:
      return { ...body, operationName: draw.any(nasty) };
    case 1:
      return { ...body, extensions: draw.any(nasty) };
    case 2:
      return {
        variables,
        extensions: { persistedQuery: { version: 1, sha256Hash: draw.any(nasty) } },
      };
    case 3:
      return { variables, documentId: draw.any(nasty) };
    case 4:
      return [body, body];
    case 5:
      return { query: draw.any(nasty), variables };
    case 6:
      return { ...body, extra: draw.any(nasty), ['__proto__']: 1 };
    case 7:
      return { ...body, operationName: 'Fuzz' };
    case 8:
      return { query: '', variables: null };
    default:
      return draw.any(nasty);
  }
}

/** `extensions.subscription` of the callback protocol. */
function routerTarget(draw: Draw): unknown {
  return {
    callbackUrl: draw.pick(addresses),
    subscriptionId: draw.pick<unknown>(['1', '', 'x'.repeat(256), draw.any(nasty)]),
    verifier: draw.pick<unknown>(['v', '', draw.any(nasty)]),
    heartbeatIntervalMs: draw.pick<unknown>([0, 1_000, 1, -1, 0.5, 2 ** 31, draw.any(nasty)]),
  };
}

/** Mutates half of the operations. */
export function mutate(draw: Draw, operation: Operation): Envelope {
  const { kind, query, variables } = operation;
  if (kind === 'subscription' && draw.chance(15)) {
    return { kind, body: { query, variables, extensions: { subscription: routerTarget(draw) } } };
  }
  const dice = draw.nat(99);
  if (dice < 50) return { kind, body: { query, variables } };
  if (dice < 70) return { kind, body: { query: spoilText(draw, query), variables } };
  if (dice < 90) return { kind, body: { query, variables: spoilVariables(draw, variables) } };
  return { kind, body: spoilEnvelope(draw, operation) };
}
