import { getIntrospectionQuery } from 'graphql';
import {
  aroundLipsync,
  everywhere,
  invalid,
  q,
  type Row,
  times,
  tooDeep,
  type Verdict,
  viewer,
} from './row.ts';

const badVariable = (message: string): Verdict => ({ code: 'BAD_USER_INPUT', message });

const costs = (cost: number): Verdict => ({
  code: 'COST_TOO_HIGH',
  message: `This operation costs ${cost}; it may cost at most 12000.`,
});

const noIntrospection = (name: string): Verdict => ({
  code: 'INTROSPECTION_REFUSED',
  message: `GraphQL introspection has been disabled, but the requested query contained the field "${name}".`,
});

const ofType = (levels: number): string =>
  levels === 0 ? 'name' : `ofType { ${ofType(levels - 1)} }`;

const byStatus =
  'query ($of: [LipsyncStatus!]) { lipsyncs(filter: { status: $of }) { nodes { id } } }';

/** What GraphiQL asks for at its start, whole. */
const graphiqlsOwn = q(
  getIntrospectionQuery({
    descriptions: true,
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    inputValueDeprecation: true,
    oneOf: true,
  }),
);

/** Ways around the rules of subscriptions and introspection, and what is not of this schema. */
export const schemaTricks: Row[] = [
  {
    name: 'a subscription of which nothing is left',
    verdict: invalid("A subscription's own field can not have @skip."),
    hostile: {
      subscription: q(
        'subscription ($b: Boolean!) { ...F } fragment F on Subscription { lipsyncProgress(id: "x") @skip(if: $b) { __typename } }',
        { b: true },
      ),
    },
    allowed: {
      subscription: q(
        'subscription ($b: Boolean!) { ...F } fragment F on Subscription { lipsyncProgress(id: "x") { __typename @skip(if: $b) } }',
        { b: true },
      ),
    },
    doors: everywhere,
  },
  {
    name: 'a subscription to several things',
    verdict: invalid('Anonymous Subscription must select only one top level field.'),
    hostile: {
      subscription: q(
        'subscription { a: lipsyncProgress(id: "x") { __typename } b: lipsyncProgress(id: "y") { __typename } }',
      ),
    },
    allowed: { subscription: q('subscription { a: lipsyncProgress(id: "x") { __typename } }') },
    doors: everywhere,
  },
  {
    name: 'a subscription to the schema',
    verdict: invalid('Anonymous Subscription must not select an introspection top level field.'),
    hostile: { subscription: q('subscription { __typename }') },
    allowed: { subscription: q('subscription { lipsyncProgress(id: "x") { __typename } }') },
    doors: everywhere,
  },
  {
    name: 'the schema, its types within its types',
    verdict: tooDeep(
      "'(anonymous)' exceeds operation depth limits: field __Type.fields nested 2 times which exceeds maximum of 1, field __Field.type nested 2 times which exceeds maximum of 1.",
    ),
    hostile: {
      query: q('{ __schema { types { fields { type { fields { type { name } } } } } } }'),
    },
    allowed: { query: graphiqlsOwn },
    doors: everywhere,
  },
  {
    name: 'the schema by many names',
    verdict: costs(12_500),
    hostile: { query: q(`{ ${times(25, (n) => `a${n}: __schema { queryType { name } }`)} }`) },
    allowed: { query: q(`{ ${times(24, (n) => `a${n}: __schema { queryType { name } }`)} }`) },
    doors: everywhere,
  },
  {
    name: 'types that are unwrapped a tenth time',
    verdict: tooDeep(
      "'(anonymous)' exceeds operation depth limits: field __Type.ofType nested 10 times which exceeds maximum of 9.",
    ),
    hostile: { query: q(`{ __type(name: "Query") { ${ofType(10)} } }`) },
    allowed: { query: q(`{ __type(name: "Query") { ${ofType(9)} } }`) },
    doors: everywhere,
  },
  {
    name: 'the schema by another name, in a fragment, where nobody may ask for it',
    at: 'closed',
    verdict: noIntrospection('__schema'),
    hostile: { query: q('query { ...F } fragment F on Query { s: __schema { types { name } } }') },
    allowed: { query: q('query { ...F } fragment F on Query { s: __typename }') },
    doors: everywhere,
  },
  {
    name: 'a type by a variable, where nobody may ask for it',
    at: 'closed',
    verdict: noIntrospection('__type'),
    hostile: {
      query: q('query ($t: String!) { viewer { name } __type(name: $t) { name } }', { t: 'Query' }),
    },
    allowed: { query: viewer },
    doors: everywhere,
  },
  {
    name: 'the schema in a field that is skipped, where nobody may ask for it',
    at: 'closed',
    verdict: noIntrospection('__schema'),
    hostile: {
      query: q('{ viewer { name } ... @include(if: false) { __schema { types { name } } } }'),
    },
    allowed: { query: q('{ viewer { name } ... @include(if: false) { __typename } }') },
    doors: everywhere,
  },
  {
    name: 'the SDL of the subgraph, where nobody may ask for it',
    at: 'closed',
    verdict: { code: 'INTROSPECTION_REFUSED', message: 'The schema of this subgraph is not told.' },
    hostile: { query: q('{ a: _service { sdl } }') },
    allowed: { query: viewer },
    doors: everywhere,
  },
  {
    name: 'names of fields by their misspelling, where nobody may ask for the schema',
    at: 'closed',
    verdict: invalid('Cannot query field "viewr" on type "Query".'),
    hostile: { query: q('{ viewr { name } }') },
    allowed: { query: viewer },
    doors: everywhere,
  },
  {
    name: 'names of values by their misspelling, where nobody may ask for the schema',
    at: 'closed',
    verdict: badVariable(
      'Variable "$of" got an invalid value at "of[0]"; Value "COMPLETE" does not exist in "LipsyncStatus" enum.',
    ),
    hostile: { query: q(byStatus, { of: ['COMPLETE'] }) },
    allowed: { query: q(byStatus, { of: ['COMPLETED'] }) },
    doors: everywhere,
  },
  {
    name: '@defer where each event is one answer',
    verdict: invalid('A subscription can not have @defer.'),
    hostile: { subscription: aroundLipsync('... @defer { id }').subscription },
    allowed: { subscription: aroundLipsync('... @defer(if: false) { id }').subscription },
    doors: everywhere,
  },
  {
    name: '@defer where one comes after the other',
    verdict: invalid('@defer can not stand at a mutation itself.'),
    hostile: { mutation: q('mutation { ... @defer { __typename } }') },
    allowed: { mutation: aroundLipsync('... @defer { id }').mutation },
    doors: everywhere,
  },
  {
    name: '@stream where there is no list',
    verdict: invalid('@stream is for lists, and "lipsyncs" is none.'),
    hostile: { query: q('{ lipsyncs @stream { nodes { id } } }') },
    allowed: { query: q('{ lipsyncs { nodes @stream(initialCount: 1) { id } } }') },
    doors: everywhere,
  },
];
