import {
  aroundLipsync,
  create,
  eachKind,
  everywhere,
  invalid,
  longUrl,
  q,
  type Row,
  times,
  tooDeep,
  tooLarge,
  validRequests,
} from './row.ts';

const within = (levels: number): string =>
  levels === 0
    ? 'id'
    : `failure { ... on OutcomeUnknownError { lipsync { ${within(levels - 1)} } } }`;

/** One field with this many tokens. */
const ofTokens = (count: number) =>
  q(`{lipsyncs(filter:{statuses:[${times(count - 19, () => 'QUEUED')}]}){nodes{id}}}`);

/** Each kind with an id of this length. */
const literal = (count: number) => {
  const id = `"${'x'.repeat(count)}"`;
  return {
    query: q(`{ node(id: ${id}) { id } }`),
    mutation: q(`mutation { cancelLipsync(input: { id: ${id} }) { __typename } }`),
    subscription: q(`subscription { lipsyncProgress(id: ${id}) { __typename } }`),
  };
};

const levels = (names: string) =>
  [...names]
    .map(
      (name, n) =>
        `fragment ${name} on Lipsync { ${within(0)} failure { ... on OutcomeUnknownError { lipsync { ${names[n + 1] === undefined ? 'id' : `...${names[n + 1]}`} } } } }`,
    )
    .join(' ');

const aliased = (count: number) =>
  `fragment F on Lipsync { ${times(count, (n) => `a${n}: progress { percent }`)} }`;

/** Each kind with this many characters. */
const ofCharacters = (count: number) =>
  eachKind((document) => q(`${document}#${'x'.repeat(count - document.length - 1)}`));

const bombOfFragments = (count: number) =>
  `${times(count, (n) => `fragment F${n} on Lipsync { ${times(6, () => `...F${n + 1}`)} }`)} fragment F${count} on Lipsync { id reference }`;

/** Above the limits of depth, fragments, aliases, directives, tokens and characters. */
export const floods: Row[] = [
  {
    name: 'a third level of a recursive type',
    verdict: tooDeep(
      "'(anonymous)' exceeds operation depth limits: field Lipsync.failure nested 3 times which exceeds self referential maximum of 2, field OutcomeUnknownError.lipsync nested 3 times which exceeds self referential maximum of 2.",
    ),
    hostile: aroundLipsync(within(3)),
    allowed: aroundLipsync(within(2)),
    transports: everywhere,
  },
  {
    name: 'the same with its levels in fragments',
    verdict: tooDeep(
      "'(anonymous)' exceeds operation depth limits: field Lipsync.failure nested 3 times which exceeds self referential maximum of 2, field OutcomeUnknownError.lipsync nested 3 times which exceeds self referential maximum of 2.",
    ),
    hostile: aroundLipsync('...A', { definitions: levels('ABC') }),
    allowed: aroundLipsync('...A', { definitions: levels('AB') }),
    transports: everywhere,
  },
  {
    name: 'a cycle of fragments',
    verdict: invalid('Cannot spread fragment "A" within itself via "B".'),
    hostile: aroundLipsync('...A', {
      definitions: 'fragment A on Lipsync { ...B } fragment B on Lipsync { id ...A }',
    }),
    allowed: aroundLipsync('...A', {
      definitions: 'fragment A on Lipsync { ...B } fragment B on Lipsync { id }',
    }),
    transports: everywhere,
  },
  {
    name: 'a fragment within itself',
    verdict: invalid('Cannot spread fragment "A" within itself.'),
    hostile: aroundLipsync('...A', {
      definitions: 'fragment A on Lipsync { progress { percent } ...A }',
    }),
    allowed: aroundLipsync('...A', {
      definitions: 'fragment A on Lipsync { progress { percent } }',
    }),
    transports: everywhere,
  },
  {
    name: 'fragments that spread each other 6^14 times and select two fields',
    verdict: 'executed',
    hostile: aroundLipsync('...F0', { definitions: bombOfFragments(14) }),
    allowed: aroundLipsync('...F0', { definitions: bombOfFragments(1) }),
    transports: everywhere,
  },
  {
    name: 'fragments that multiply their aliases',
    verdict: { code: 'TOO_MANY_ALIASES', message: 'A document has at most 30 aliases.' },
    hostile: aroundLipsync('...F', { definitions: aliased(31) }),
    allowed: aroundLipsync('...F', { definitions: aliased(30) }),
    transports: everywhere,
  },
  {
    name: 'too many aliases',
    verdict: { code: 'TOO_MANY_ALIASES', message: 'A document has at most 30 aliases.' },
    hostile: {
      query: q(`{ ${times(31, (n) => `a${n}: viewer { name }`)} }`),
      mutation: q(`mutation { ${times(31, (n) => `a${n}: ${create}`)} }`),
      subscription: q(
        `subscription { lipsyncProgress(id: "x") { ${times(31, (n) => `a${n}: __typename`)} } }`,
      ),
    },
    allowed: {
      query: q(`{ ${times(30, (n) => `a${n}: viewer { name }`)} }`),
      mutation: q(`mutation { ${times(30, (n) => `a${n}: ${create}`)} }`),
      subscription: q(
        `subscription { lipsyncProgress(id: "x") { ${times(30, (n) => `a${n}: __typename`)} } }`,
      ),
    },
    transports: everywhere,
  },
  {
    name: 'a field that is selected a thousand times',
    isRejectedUnparsed: true,
    verdict: { code: 'DOCUMENT_TOO_LARGE', message: 'A document has at most 1000 tokens.' },
    hostile: aroundLipsync(times(1_000, () => 'id')),
    allowed: aroundLipsync(times(100, () => 'id')),
    transports: everywhere,
  },
  {
    name: 'too many tokens',
    isRejectedUnparsed: true,
    verdict: { code: 'DOCUMENT_TOO_LARGE', message: 'A document has at most 1000 tokens.' },
    hostile: {
      query: ofTokens(1_001),
      mutation: q(`mutation { ${create} } ${ofTokens(1_000).query}`),
      subscription: q(
        `subscription { lipsyncProgress(id: "x") { __typename } } ${ofTokens(1_000).query}`,
      ),
    },
    allowed: { ...validRequests, query: ofTokens(1_000) },
    transports: everywhere,
  },
  {
    name: 'too many directives',
    verdict: { code: 'TOO_MANY_DIRECTIVES', message: 'A document has at most 50 directives.' },
    hostile: aroundLipsync(times(51, () => 'id @include(if: true)')),
    allowed: aroundLipsync(times(50, () => 'id @include(if: true)')),
    transports: everywhere,
  },
  {
    name: 'too many unknown directives',
    verdict: { code: 'TOO_MANY_DIRECTIVES', message: 'A document has at most 50 directives.' },
    hostile: aroundLipsync(`id ${times(51, () => '@a')}`),
    allowed: aroundLipsync('id @skip(if: false) @include(if: true)'),
    transports: everywhere,
  },
  {
    name: 'the same directive twice in one place',
    verdict: invalid('The directive "@skip" can only be used once at this location.'),
    hostile: aroundLipsync('id @skip(if: false) @skip(if: false)'),
    allowed: aroundLipsync('id @skip(if: false)'),
    transports: everywhere,
  },
  {
    name: 'too many comments',
    isRejectedUnparsed: true,
    verdict: { code: 'DOCUMENT_TOO_LARGE', message: 'A document has at most 65536 characters.' },
    hostile: ofCharacters(65_537),
    allowed: ofCharacters(65_536),
    transports: {
      ...everywhere,
      GET: { ...longUrl, verdict: tooLarge, allowed: ofCharacters(10_000) },
    },
  },
  {
    name: 'a huge literal',
    isRejectedUnparsed: true,
    verdict: { code: 'DOCUMENT_TOO_LARGE', message: 'A document has at most 65536 characters.' },
    hostile: literal(65_536),
    allowed: literal(60_000),
    transports: {
      ...everywhere,
      GET: { ...longUrl, verdict: tooLarge, allowed: literal(10_000) },
    },
  },
];
