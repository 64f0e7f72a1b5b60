import { aroundLipsync, everywhere, longUrl, q, type Row, tooLarge, type Verdict } from './row.ts';

const tooDear = (cost: number): Verdict => ({
  code: 'COST_TOO_HIGH',
  message: `This operation costs ${cost}; it may cost at most 12000.`,
});

const ids = (count: number) => Array.from({ length: count }, () => 'a');

const nodes = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';

const entities = 'query ($of: [_Any!]!) { _entities(representations: $of) { __typename } }';

const creation =
  'mutation ($of: [CreateLipsyncInput!]!) { createLipsyncs(inputs: $of) { __typename } }';

const inputs = (count: number) =>
  Array.from({ length: count }, () => ({ video: { id: 'a' }, speech: { audioUploadId: 'a' } }));

const watching = 'subscription ($ids: [ID!]!) { lipsyncsProgress(ids: $ids) { __typename } }';

const representations = (count: number) =>
  Array.from({ length: count }, () => ({ __typename: 'Lipsync', id: 'a' }));

const events = (first: number) => `events(first: ${first}) { nodes { cursor } }`;

const bomb = (first: number) => `lipsyncs(first: ${first}) { nodes { ${events(100)} } }`;

const bombs = `${bomb(100)} b: ${bomb(100)}`;

const bombIf = `query ($b: Boolean!) { ${bomb(100)} b: lipsyncs(first: 100) @include(if: $b) { nodes { ${events(100)} } } }`;

/** What would come to too much. */
export const costs: Row[] = [
  {
    name: 'two hundred lip-syncs with a hundred events each',
    verdict: tooDear(20_402),
    hostile: { query: q(`{ ${bombs} }`) },
    allowed: { query: q(`{ ${bomb(100)} }`) },
    doors: everywhere,
  },
  {
    name: 'the same, hidden in a fragment, an alias, and edges',
    verdict: tooDear(1 + 100 * (1 + 1 + 2 * (1 + 100))),
    hostile: {
      query: q(
        '{ a: lipsyncs(first: 100) { ...Page } } fragment Page on LipsyncConnection { edges { node { ... { b: events(first: 100) { nodes { cursor } } c: events(first: 100) { nodes { cursor } } } } } }',
      ),
    },
    allowed: {
      query: q(
        '{ a: lipsyncs(first: 100) { ...Page } } fragment Page on LipsyncConnection { edges { node { ... { b: events(first: 100) { nodes { cursor } } } } } }',
      ),
    },
    doors: everywhere,
  },
  {
    name: 'twelve thousand events of one lip-sync',
    verdict: {
      code: 'COST_TOO_HIGH',
      message: /^This operation costs 120\d\d; it may cost at most 12000\.$/,
    },
    hostile: aroundLipsync(events(12_000)),
    allowed: aroundLipsync(events(100)),
    doors: everywhere,
  },
  {
    name: 'a page whose size comes in a variable',
    verdict: tooDear(2_147_483_648),
    hostile: {
      query: q('query ($n: Int) { lipsyncs(first: $n) { nodes { id } } }', { n: 2 ** 31 - 1 }),
    },
    allowed: { query: q('query ($n: Int) { lipsyncs(first: $n) { nodes { id } } }', { n: 100 }) },
    doors: everywhere,
  },
  {
    name: 'ten thousand ids',
    verdict: tooDear(100_000),
    hostile: { query: q(nodes, { ids: ids(10_000) }) },
    allowed: { query: q(nodes, { ids: ids(1_200) }) },
    doors: { ...everywhere, GET: { ...longUrl, verdict: tooLarge } },
  },
  {
    name: 'twelve hundred and one ids',
    verdict: tooDear(12_010),
    hostile: { query: q(nodes, { ids: ids(1_201) }) },
    allowed: { query: q(nodes, { ids: ids(1_200) }) },
    doors: everywhere,
  },
  {
    name: 'as many representations of entities',
    verdict: tooDear(12_010),
    hostile: { query: q(entities, { of: representations(1_201) }) },
    allowed: { query: q(entities, { of: representations(1_000) }) },
    doors: {
      ...everywhere,
      GET: { ...longUrl, verdict: tooLarge, allowed: q(entities, { of: representations(100) }) },
    },
  },
  {
    name: 'twelve hundred and one inputs of one mutation',
    verdict: tooDear(12_010),
    isRefusedUnparsed: true,
    hostile: { mutation: q(creation, { of: inputs(1_201) }) },
    // More than it makes, which its own union says.
    allowed: { mutation: q(creation, { of: inputs(1_200) }) },
    doors: {
      ...everywhere,
      GET: { ...longUrl, verdict: tooLarge, allowed: q(creation, { of: inputs(100) }) },
    },
  },
  {
    name: 'twelve hundred and one ids of one subscription',
    verdict: tooDear(12_010),
    hostile: { subscription: q(watching, { ids: ids(1_201) }) },
    allowed: { subscription: q(watching, { ids: ids(1_200) }) },
    doors: everywhere,
  },
  {
    name: 'what is expensive, included by a variable',
    verdict: tooDear(20_402),
    hostile: { query: q(bombIf, { b: true }) },
    allowed: { query: q(bombIf, { b: false }) },
    doors: everywhere,
  },
  {
    name: 'what is expensive, in a fragment that is not skipped',
    verdict: tooDear(20_402),
    hostile: {
      query: q(`query ($b: Boolean!) { ... @skip(if: $b) { ${bombs} } }`, { b: false }),
    },
    allowed: {
      query: q(`query ($b: Boolean!) { __typename ... @skip(if: $b) { ${bombs} } }`, {
        b: true,
      }),
    },
    doors: everywhere,
  },
];
