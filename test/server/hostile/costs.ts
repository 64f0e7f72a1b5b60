import {
  aroundLipsync,
  everywhere,
  longUrl,
  onlyMutation,
  onlyQuery,
  onlySubscription,
  q,
  type Row,
  tooLarge,
  type Verdict,
} from './row.ts';

const tooDear = (cost: number): Verdict => ({
  code: 'COST_TOO_HIGH',
  message: `This operation costs ${cost}; it may cost at most 12000.`,
});

/** The number depends on the kind of operation. */
const tooDearBy = (digits: string): Verdict => ({
  code: 'COST_TOO_HIGH',
  message: new RegExp(`^This operation costs ${digits}; it may cost at most 12000\\.$`),
});

const ids = (count: number) => Array.from({ length: count }, () => 'a');

const nodes = (count: number) =>
  onlyQuery(q('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ids(count) }), noIds);

const entities = (count: number) =>
  onlyQuery(
    q('query ($of: [_Any!]!) { _entities(representations: $of) { __typename } }', {
      of: Array.from({ length: count }, () => ({ __typename: 'Lipsync', id: 'a' })),
    }),
    noIds,
  );

const noIds = 'the lists of the other kinds have rows of their own';
const noLists = 'no other operation has a list of lip-syncs';

const creations = (count: number) =>
  onlyMutation(
    q(
      'mutation ($of: [CreateLipsyncInput!]!) { createLipsyncs(input: { items: $of }) { __typename } }',
      {
        of: Array.from({ length: count }, () => ({
          video: { videoId: 'a' },
          speech: { uploadId: 'a' },
        })),
      },
    ),
    noIds,
  );

const watching = (count: number) =>
  onlySubscription(
    q('subscription ($ids: [ID!]!) { lipsyncsProgress(ids: $ids) { __typename } }', {
      ids: ids(count),
    }),
    noIds,
  );

const events = (first: number | string) => `events(first: ${first}) { nodes { cursor } }`;

const bomb = (first: number) => `lipsyncs(first: ${first}) { nodes { ${events(100)} } }`;

const eventsIf = (b: boolean) =>
  aroundLipsync(`${events(100)} b: events(first: 12000) @include(if: $b) { nodes { cursor } }`, {
    declare: '($b: Boolean!)',
    variables: { b },
  });

const eventsUnless = (b: boolean) =>
  aroundLipsync(`id ... @skip(if: $b) { ${events(12_000)} }`, {
    declare: '($b: Boolean!)',
    variables: { b },
  });

const pageOf = (n: number) =>
  aroundLipsync(events('$n'), { declare: '($n: Int)', variables: { n } });

const hidden = (more: string) =>
  onlyQuery(
    q(
      `{ a: lipsyncs(first: 100) { ...Page } } fragment Page on LipsyncConnection { edges { node { ... { b: ${events(100)} ${more} } } } }`,
    ),
    noLists,
  );

/** Operations above the cost limit. */
export const costs: Row[] = [
  {
    name: 'two hundred lip-syncs with a hundred events each',
    verdict: tooDear(20_402),
    hostile: onlyQuery(q(`{ ${bomb(100)} b: ${bomb(100)} }`), noLists),
    allowed: onlyQuery(q(`{ ${bomb(100)} }`), noLists),
    transports: everywhere,
  },
  {
    name: 'the same, hidden in a fragment, an alias, and edges',
    verdict: tooDear(1 + 100 * (1 + 1 + 2 * (1 + 100))),
    hostile: hidden(`c: ${events(100)}`),
    allowed: hidden(''),
    transports: everywhere,
  },
  {
    name: 'twelve thousand events of one lip-sync',
    verdict: tooDearBy('120\\d\\d'),
    hostile: aroundLipsync(events(12_000)),
    allowed: aroundLipsync(events(100)),
    transports: everywhere,
  },
  {
    name: 'a page with its size in a variable',
    verdict: tooDearBy('21474836\\d\\d'),
    hostile: pageOf(2 ** 31 - 1),
    allowed: pageOf(100),
    transports: everywhere,
  },
  {
    name: 'a page of lip-syncs with its size in a variable',
    verdict: tooDear(2_147_483_648),
    hostile: onlyQuery(
      q('query ($n: Int) { lipsyncs(first: $n) { nodes { id } } }', { n: 2 ** 31 - 1 }),
      noLists,
    ),
    allowed: onlyQuery(
      q('query ($n: Int) { lipsyncs(first: $n) { nodes { id } } }', { n: 100 }),
      noLists,
    ),
    transports: everywhere,
  },
  {
    name: 'ten thousand ids',
    verdict: { code: 'VALUES_TOO_LARGE', message: 'A list has at most 2000 values.' },
    hostile: nodes(10_000),
    allowed: nodes(1_200),
    transports: { ...everywhere, GET: { ...longUrl, verdict: tooLarge } },
  },
  {
    name: 'twelve hundred and one ids',
    verdict: tooDear(12_010),
    hostile: nodes(1_201),
    allowed: nodes(1_200),
    transports: everywhere,
  },
  {
    name: 'twelve hundred and one representations of entities',
    verdict: tooDear(12_010),
    hostile: entities(1_201),
    allowed: entities(1_000),
    transports: {
      ...everywhere,
      GET: { ...longUrl, verdict: tooLarge, allowed: entities(100) },
    },
  },
  {
    name: 'twelve hundred and one inputs of one mutation',
    verdict: tooDear(12_010),
    isRejectedUnparsed: true,
    hostile: creations(1_201),
    // Above the limit of the field itself, which its union reports.
    allowed: creations(1_200),
    transports: {
      ...everywhere,
      GET: { ...longUrl, verdict: tooLarge, allowed: creations(100) },
    },
  },
  {
    name: 'twelve hundred and one ids of one subscription',
    verdict: tooDear(12_010),
    hostile: watching(1_201),
    allowed: watching(1_200),
    transports: everywhere,
  },
  {
    name: 'an expensive field, included by a variable',
    verdict: tooDearBy('12[12]\\d\\d'),
    hostile: eventsIf(true),
    allowed: eventsIf(false),
    transports: everywhere,
  },
  {
    name: 'an expensive field in a fragment that is not skipped',
    verdict: tooDearBy('120\\d\\d'),
    hostile: eventsUnless(false),
    allowed: eventsUnless(true),
    transports: everywhere,
  },
];
