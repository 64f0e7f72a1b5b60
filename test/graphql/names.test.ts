import { readFile } from 'node:fs/promises';
import {
  buildSchema,
  type DocumentNode,
  GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isScalarType,
  isSpecifiedScalarType,
  isUnionType,
  parse,
  validate,
  visit,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { failureCodes, inputIssueCodes } from '../../src/errors.ts';
import { scopes } from '../../src/graphql/context.ts';
import { printClientSdl, schema } from '../../src/schema.ts';

const typed = (name: string) => schema.getType(name);

/** `name: type` of each field of an object or an input. */
function fieldsOf(name: string): Record<string, string> {
  const type = typed(name);
  const fields = isObjectType(type) || isInputObjectType(type) ? type.getFields() : {};
  return Object.fromEntries(Object.values(fields).map((field) => [field.name, `${field.type}`]));
}

function membersOf(union: string): string[] {
  const type = typed(union);
  return isUnionType(type) ? type.getTypes().map(({ name }) => name) : [];
}

const failuresIn = (union: string) =>
  membersOf(union)
    .filter((name) => name.endsWith('Error'))
    .map((name) => name.replace(/Error$/, ''))
    .toSorted();

const access = ['NotAuthenticated', 'NotAuthorized'];
const upstream = [
  ...['RateLimited', 'SubscriptionExpired', 'UpstreamUnauthorized', 'UpstreamUnavailable'],
];

/** The names of the directives that are applied in a document. */
function directivesIn(document: DocumentNode): Set<string> {
  const names = new Set<string>();
  visit(document, { Directive: ({ name }) => void names.add(name.value) });
  return names;
}

/** The failures that each field can return, and no others. */
const failures: Record<string, string[]> = {
  AccountsResult: [...access, ...upstream],
  AttachLipsyncJobResult: [...access, ...upstream, 'AccountPending', 'InvalidInput', 'NotFound'],
  CancelLipsyncResult: [...access, 'NotFound'],
  CreateLipsyncResult: [
    ...access,
    ...upstream,
    ...['AccountPending', 'ContentModerated', 'IdempotencyConflict', 'InsufficientCredits'],
    ...['InvalidInput', 'NotFound', 'OutcomeUnknown', 'QueueFull', 'QuotaExceeded'],
  ],
  CreateLipsyncsResult: [...access, 'InvalidInput'],
  CreateUploadResult: [...access, 'InvalidInput', 'QuotaExceeded'],
  DeleteLipsyncResult: [...access, 'InvalidInput', 'NotFound'],
  DeleteUploadResult: [...access, 'InvalidInput', 'NotFound'],
  DeleteVideoResult: [...access, ...upstream, 'AccountPending', 'InvalidInput', 'NotFound'],
  EndLipsyncResult: [...access, 'InvalidInput', 'NotFound'],
  EraseOwnerResult: [...access, 'InvalidInput'],
  EstimateLipsyncResult: [...access, 'InvalidInput', 'NotFound'],
  ImportUploadResult: [...access, 'InvalidInput', 'QuotaExceeded'],
  LipsyncProgressResult: [...access, 'InvalidInput', 'NotFound', 'QuotaExceeded'],
  ReconnectAccountResult: [...access, ...upstream, 'AccountPending', 'InvalidInput', 'NotFound'],
  RedeliverWebhookResult: [...access, 'NotFound'],
  RequeueLipsyncResult: [...access, 'InvalidInput', 'NotFound'],
  RotateWebhookSecretResult: access,
  UploadAudioResult: [
    ...access,
    ...upstream,
    ...[
      'AccountPending',
      'ContentModerated',
      'InsufficientCredits',
      'InvalidInput',
      'QuotaExceeded',
    ],
  ],
  VideosResult: [...access, ...upstream, 'AccountPending', 'InvalidInput'],
  VoicesResult: [...access, ...upstream, 'AccountPending', 'InvalidInput'],
};

describe('works', () => {
  test.each(Object.entries(failures))(
    '%s has exactly the failures that its field can return',
    (union, names) => {
      expect(failuresIn(union)).toEqual(names.toSorted());
    },
  );

  test('every result union with failures is in the table', () => {
    const unions = Object.values(schema.getTypeMap()).filter(isUnionType);
    const withFailures = unions.filter(({ name }) => failuresIn(name).length > 0);
    expect(withFailures.map(({ name }) => name).toSorted()).toEqual(
      Object.keys(failures).toSorted(),
    );
  });

  test.each([
    ['LipsyncVideoInput', { videoId: 'ID', uploadId: 'ID', url: 'URL' }],
    ['LipsyncSpeechInput', { script: 'LipsyncScriptInput', uploadId: 'ID', url: 'URL' }],
    ['LipsyncScriptInput', { text: 'String!', voiceId: 'ID' }],
    ['CreateLipsyncsInput', { items: '[CreateLipsyncInput!]!' }],
    ['CreateLipsyncInput', { callbackUrl: 'URL', callbackEvents: '[WebhookEvent!]' }],
    ['LipsyncFilter', { statuses: '[LipsyncStatus!]' }],
    ['VideoFilter', { statuses: '[VideoStatus!]' }],
    ['CreateUploadInput', { size: 'SafeInt' }],
    ['RateLimitedError', { limit: 'UpstreamLimit!' }],
    ['UpstreamUnavailableError', { cause: 'UpstreamUnavailableCause!' }],
    ['InputIssue', { path: '[String!]!', message: 'String!', code: 'InputIssueCode!' }],
    ['Upload', { status: 'UploadStatus!', size: 'SafeInt' }],
    [
      'WebhookDelivery',
      { status: 'WebhookDeliveryStatus!', type: 'WebhookEventType!', url: 'URL!' },
    ],
    ['Account', { externalJobCount: 'Int!', waitingCount: 'Int!' }],
    ['Viewer', { scopes: '[Scope!]!' }],
    ['Lipsync', { creditsCharged: 'Float' }],
    [
      'Subscription',
      { lipsyncProgress: 'LipsyncProgressResult!', lipsyncsProgress: 'LipsyncProgressResult!' },
    ],
    ['Video', { url: 'URL', posterUrl: 'URL', lastFrameUrl: 'URL', seed: 'SafeInt' }],
    ['Voice', { previewUrl: 'URL' }],
    ['CreateUploadSuccess', { uploadUrl: 'URL!' }],
  ] satisfies [string, Record<string, string>][])(
    '%s has its fields under these names',
    (type, fields) => {
      expect(fieldsOf(type)).toMatchObject(fields);
    },
  );

  test('the scalars say what specifies them', () => {
    const specifications = ['DateTime', 'URL'].map((name) => {
      const type = typed(name);
      return isScalarType(type) ? type.specifiedByURL : null;
    });
    expect(specifications).toEqual([
      'https://scalars.graphql.org/andimarek/date-time.html',
      'https://url.spec.whatwg.org/',
    ]);
  });

  test('an enum has a value for every scope of a token and every code of an issue', () => {
    const valuesOf = (name: string) => {
      const type = typed(name);
      return isEnumType(type) ? type.getValues() : [];
    };
    const written = valuesOf('Scope').map(({ name, value }) => [value, name]);
    expect(Object.fromEntries(written)).toEqual(
      Object.fromEntries(scopes.map((scope) => [scope, scope.toUpperCase().replace(':', '_')])),
    );
    expect(valuesOf('InputIssueCode').map(({ name }) => name)).toEqual(inputIssueCodes.toSorted());
    expect(valuesOf('LipsyncErrorCode').map(({ name }) => name)).toEqual(failureCodes.toSorted());
  });
});

describe('keeps out', () => {
  test('a list in an input under a singular name', () => {
    const lists = Object.values(schema.getTypeMap())
      .filter(isInputObjectType)
      .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
      .filter(({ field }) =>
        isListType(isNonNullType(field.type) ? field.type.ofType : field.type),
      );
    expect(lists.length).toBeGreaterThan(3);
    const singular = lists.filter(({ field }) => !field.name.endsWith('s'));
    expect(singular.map(({ type, field }) => `${type.name}.${field.name}`)).toEqual([]);
  });

  test('fields of one name and two types in the failures of a union, which no query could select together', () => {
    const kinds = Object.values(schema.getTypeMap()).filter(
      (type) => isObjectType(type) && type.name.endsWith('Error'),
    );
    const types = new Map<string, Set<string>>();
    for (const { name } of kinds) {
      for (const [field, type] of Object.entries(fieldsOf(name))) {
        types.set(field, (types.get(field) ?? new Set()).add(type));
      }
    }
    expect([...types].filter(([, { size }]) => size > 1)).toEqual([]);
  });

  test('an address or an instant that is only a string', () => {
    const plain = Object.values(schema.getTypeMap())
      .filter((type) => isObjectType(type) || isInputObjectType(type))
      .flatMap(({ name }) =>
        Object.entries(fieldsOf(name)).map(([field, type]) => ({ name, field, type })),
      )
      .filter(
        ({ field, type }) =>
          /(^url|Url|At|Until|After|Before)$/.test(field) && /^(String|Int|Float)/.test(type),
      );
    expect(plain.map(({ name, field }) => `${name}.${field}`)).toEqual([]);
  });

  test.each([
    ['{ lipsyncs(filter: { status: [FAILED] }) { pageInfo { hasNextPage } } }', 'statuses'],
    ['query ($id: ID!) { upload(id: $id) { state } }', 'status'],
    [
      'mutation ($of: [CreateLipsyncInput!]!) { createLipsyncs(inputs: $of) { __typename } }',
      'input',
    ],
  ])('an old name, with a hint at the new one: %s', (query, hint) => {
    const messages = validate(schema, parse(query)).map(({ message }) => message);
    expect(messages.join()).toMatch(new RegExp(`Did you mean .*"${hint}"`));
  });
});

describe('client.graphql', () => {
  test('is up to date; `npm run schema` writes it', async () => {
    expect(await readFile('client.graphql', 'utf8')).toBe(printClientSdl());
  });

  test('has what a client can query: node, and every type except those of federation', () => {
    const built = buildSchema(printClientSdl());
    expect(built).toBeInstanceOf(GraphQLSchema);
    const queries = Object.keys(built.getQueryType()?.getFields() ?? {});
    expect(queries).toEqual(expect.arrayContaining(['node', 'nodes', 'lipsync']));
    expect(queries.filter((name) => name.startsWith('_'))).toEqual([]);
    const names = ({ getTypeMap }: Pick<GraphQLSchema, 'getTypeMap'>) => Object.keys(getTypeMap());
    const own = Object.keys(schema.getTypeMap()).filter((name) => !/^_[A-Z]|^FieldSet$/.test(name));
    expect(names({ getTypeMap: () => built.getTypeMap() }).toSorted()).toEqual(own.toSorted());
    expect([...directivesIn(parse(printClientSdl()))].toSorted()).toEqual(['oneOf', 'specifiedBy']);
  });

  test('has a type for every scalar that code generators must know', () => {
    const scalars = Object.values(buildSchema(printClientSdl()).getTypeMap()).filter(
      (type) => isScalarType(type) && !isSpecifiedScalarType(type),
    );
    expect(scalars.map(({ name }) => name)).toEqual(['DateTime', 'File', 'SafeInt', 'URL']);
  });
});
