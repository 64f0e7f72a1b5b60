import { getIntrospectionQuery } from 'graphql';
import {
  everywhere,
  invalid,
  onlyQuery,
  onlySubscription,
  q,
  type Row,
  times,
  tooDeep,
  type Verdict,
  validRequests,
} from './row.ts';

const noSchema = 'only a query has the schema';
const noEnum = 'no argument of another takes such a value';
const viewer = onlyQuery(q('{ viewer { name } }'), noSchema);

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
  'query ($of: [LipsyncStatus!]) { lipsyncs(filter: { statuses: $of }) { nodes { id } } }';

/** The full introspection query of GraphiQL. */
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

/** Attempts to evade the rules of subscriptions and introspection. */
export const schemaTricks: Row[] = [
  {
    name: 'a subscription whose only field is skipped',
    verdict: invalid('The root field of a subscription cannot have @skip.'),
    hostile: onlySubscription(
      q(
        'subscription ($b: Boolean!) { ...F } fragment F on Subscription { lipsyncProgress(id: "x") @skip(if: $b) { __typename } }',
        { b: true },
      ),
    ),
    allowed: onlySubscription(
      q(
        'subscription ($b: Boolean!) { ...F } fragment F on Subscription { lipsyncProgress(id: "x") { __typename @skip(if: $b) } }',
        { b: true },
      ),
    ),
    transports: everywhere,
  },
  {
    name: 'a subscription with several fields',
    verdict: invalid('Anonymous Subscription must select only one top level field.'),
    hostile: onlySubscription(
      q(
        'subscription { a: lipsyncProgress(id: "x") { __typename } b: lipsyncProgress(id: "y") { __typename } }',
      ),
    ),
    allowed: onlySubscription(q('subscription { a: lipsyncProgress(id: "x") { __typename } }')),
    transports: everywhere,
  },
  {
    name: 'a subscription to the schema',
    verdict: invalid('Anonymous Subscription must not select an introspection top level field.'),
    hostile: onlySubscription(q('subscription { __typename }')),
    allowed: onlySubscription(q('subscription { lipsyncProgress(id: "x") { __typename } }')),
    transports: everywhere,
  },
  {
    name: 'nested introspection',
    verdict: tooDeep(
      "'(anonymous)' exceeds operation depth limits: field __Type.fields nested 2 times which exceeds maximum of 1, field __Field.type nested 2 times which exceeds maximum of 1.",
    ),
    hostile: onlyQuery(
      q('{ __schema { types { fields { type { fields { type { name } } } } } } }'),
      noSchema,
    ),
    allowed: onlyQuery(graphiqlsOwn, noSchema),
    transports: everywhere,
  },
  {
    name: 'introspection with many aliases',
    verdict: costs(12_500),
    hostile: onlyQuery(
      q(`{ ${times(25, (n) => `a${n}: __schema { queryType { name } }`)} }`),
      noSchema,
    ),
    allowed: onlyQuery(
      q(`{ ${times(24, (n) => `a${n}: __schema { queryType { name } }`)} }`),
      noSchema,
    ),
    transports: everywhere,
  },
  {
    name: 'a tenth level of ofType',
    verdict: tooDeep(
      "'(anonymous)' exceeds operation depth limits: field __Type.ofType nested 10 times which exceeds maximum of 9.",
    ),
    hostile: onlyQuery(q(`{ __type(name: "Query") { ${ofType(10)} } }`), noSchema),
    allowed: onlyQuery(q(`{ __type(name: "Query") { ${ofType(9)} } }`), noSchema),
    transports: everywhere,
  },
  {
    name: 'aliased __schema in a fragment without introspection',
    at: 'closed',
    verdict: noIntrospection('__schema'),
    hostile: onlyQuery(
      q('query { ...F } fragment F on Query { s: __schema { types { name } } }'),
      noSchema,
    ),
    allowed: onlyQuery(q('query { ...F } fragment F on Query { s: __typename }'), noSchema),
    transports: everywhere,
  },
  {
    name: '__type by a variable without introspection',
    at: 'closed',
    verdict: noIntrospection('__type'),
    hostile: onlyQuery(
      q('query ($t: String!) { viewer { name } __type(name: $t) { name } }', { t: 'Query' }),
      noSchema,
    ),
    allowed: viewer,
    transports: everywhere,
  },
  {
    name: '__schema in a skipped field without introspection',
    at: 'closed',
    verdict: noIntrospection('__schema'),
    hostile: onlyQuery(
      q('{ viewer { name } ... @include(if: false) { __schema { types { name } } } }'),
      noSchema,
    ),
    allowed: onlyQuery(q('{ viewer { name } ... @include(if: false) { __typename } }'), noSchema),
    transports: everywhere,
  },
  {
    name: '_service without introspection',
    at: 'closed',
    verdict: { code: 'INTROSPECTION_REFUSED', message: 'The SDL of this subgraph is not public.' },
    hostile: onlyQuery(q('{ a: _service { sdl } }'), noSchema),
    allowed: viewer,
    transports: everywhere,
  },
  {
    name: 'a misspelled field without introspection: no suggestion',
    at: 'closed',
    verdict: {
      code: 'GRAPHQL_VALIDATION_FAILED',
      message: /^Cannot query field "\w+" on type "\w+"\.$/,
    },
    hostile: {
      query: q('{ viewr { name } }'),
      mutation: q('mutation { createUplod { __typename } }'),
      subscription: q('subscription { lipsyncProgres(id: "x") { __typename } }'),
    },
    allowed: validRequests,
    transports: everywhere,
  },
  {
    name: 'a misspelled enum value without introspection: no suggestion',
    at: 'closed',
    verdict: badVariable(
      'Variable "$of" got an invalid value at "of[0]"; Value "COMPLETE" does not exist in "LipsyncStatus" enum.',
    ),
    hostile: onlyQuery(q(byStatus, { of: ['COMPLETE'] }), noEnum),
    allowed: onlyQuery(q(byStatus, { of: ['COMPLETED'] }), noEnum),
    transports: everywhere,
  },
];
