import { createHash } from 'node:crypto';
import { type GraphQLUnionType, isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Scope, scopes } from '../../../src/graphql/context.ts';
import { schema } from '../../../src/schema.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { execute, type Transport } from '../../support/transports.ts';
import { entityRules, type Rule, rules } from './fields.ts';

/** A key is named after its scopes. */
const nameOf = (granted: readonly Scope[]) => granted.join('.').replaceAll(':', '-') || 'nothing';

function keyFor(granted: readonly Scope[]): string {
  const name = nameOf(granted);
  return `${name}:${createHash('sha256').update(name).digest('hex')}:${granted.join(' ')}`;
}

const without = (lacking: readonly Scope[]) => scopes.filter((scope) => !lacking.includes(scope));

let it: TestApp;
beforeAll(async () => {
  const lacking = [...scopes.map((scope) => [scope]), ['lipsync:write', 'videos:write'] as Scope[]];
  const keys = [...scopes.map((scope) => [scope]), ...lacking.map(without)];
  const env = { API_KEYS: keys.map(keyFor).join(','), ALLOW_ANONYMOUS: 'false' };
  it = await startTestApp({ env });
});
afterAll(() => it?.stop());

function transportsOf(field: string): Transport[] {
  if (field === 'Mutation.uploadAudio') return ['multipart form'];
  const always: Transport[] = ['SSE by POST', 'multipart stream', 'WebSocket'];
  if (field.startsWith('Mutation')) return ['POST', ...always];
  if (field.startsWith('Subscription')) return ['SSE by GET', ...always];
  return ['POST', 'GET', 'SSE by GET', ...always];
}

type Verdict = { code: unknown; message: string };

/** The refusal of the field, or null; fails when the refusal is in the wrong place of the answer. */
async function verdictOf(
  field: string,
  rule: Rule,
  asking: { transport: Transport; token?: string },
) {
  const [kind = ''] = field.split('.');
  const head = rule.ask.includes('$file') ? '($file: File!)' : '';
  const query = `${kind.toLowerCase()} ${head} { ${rule.ask} }`;
  const { data, errors } = await execute(asking.transport, {
    url: it.url,
    operation: { query },
    token: asking.token,
  });
  const name = rule.ask.split(/\W/, 1)[0] ?? '';
  const codes = ['NOT_AUTHORIZED', 'NOT_AUTHENTICATED'];
  const inErrors = errors?.find(({ extensions }) => codes.includes(String(extensions?.code)));
  const member = data?.[name] as (Verdict & { __typename: string }) | null | undefined;
  if (rule.hasUnion) {
    expect(errors).toBeUndefined();
    return codes.includes(String(member?.code)) ? (member ?? null) : null;
  }
  if (inErrors === undefined) return null;
  expect(errors).toHaveLength(1);
  expect(inErrors.path?.[0]).toBe(name);
  expect([undefined, null, '[null]']).toContainEqual(member && JSON.stringify(member));
  return { code: inErrors.extensions?.code, message: inErrors.message };
}

const table = Object.entries(rules);
const entities = Object.entries(entityRules).map(
  ([type, rule]) => [`Query.${type}`, rule] as const,
);
const all = [...table, ...entities];
const guarded = all.filter(([, { needs }]) => Array.isArray(needs)) as [
  string,
  Rule & { needs: readonly Scope[] },
][];

describe('the table', () => {
  test('has a row for every field of Query, Mutation and Subscription', () => {
    const names = ['Query', 'Mutation', 'Subscription'].flatMap((type) => {
      const built = schema.getType(type);
      return isObjectType(built)
        ? Object.keys(built.getFields()).map((field) => `${type}.${field}`)
        : [];
    });
    expect(table.map(([field]) => field).toSorted()).toEqual(names.toSorted());
  });

  test('has a row for every entity', () => {
    const union = schema.getType('_Entity') as GraphQLUnionType;
    const names = union.getTypes().map(({ name }) => name);
    expect(Object.keys(entityRules).toSorted()).toEqual(names.toSorted());
  });
});

describe('works', () => {
  test.each(guarded)(
    '%s is open to a caller with any one of its scopes and no other scope',
    async (field, rule) => {
      for (const scope of rule.needs) {
        for (const transport of transportsOf(field)) {
          expect(
            await verdictOf(field, rule, { transport, token: nameOf([scope]) }),
            transport,
          ).toBeNull();
        }
      }
    },
  );

  test('fields without a scope are open to signed-in callers, and viewer to all callers', async () => {
    for (const [field, rule] of all.filter(([, { needs }]) => !Array.isArray(needs))) {
      for (const transport of transportsOf(field)) {
        expect(await verdictOf(field, rule, { transport, token: 'admin' }), field).toBeNull();
      }
      for (const transport of rule.needs === 'everyone' ? transportsOf(field) : []) {
        expect(await verdictOf(field, rule, { transport }), field).toBeNull();
      }
    }
  });
});

describe('keeps out', () => {
  test.each(guarded)(
    'callers without the scope of %s, with all other scopes, on every transport',
    async (field, rule) => {
      for (const transport of transportsOf(field)) {
        const token = nameOf(without(rule.needs));
        expect(await verdictOf(field, rule, { transport, token }), transport).toMatchObject({
          code: 'NOT_AUTHORIZED',
          message: `This needs the scope ${rule.needs[0]}.`,
        });
      }
    },
  );

  test.each(all.filter(([, { needs }]) => needs !== 'everyone'))(
    'callers of %s without a token or with an invalid one, on every transport',
    async (field, rule) => {
      for (const transport of transportsOf(field)) {
        for (const bad of [{}, { token: 'wrong' }]) {
          const verdict = await verdictOf(field, rule, { transport, ...bad });
          expect(verdict, transport).toMatchObject({
            code: 'NOT_AUTHENTICATED',
            message: 'Sign in to do this.',
          });
        }
      }
    },
  );

  test('every effect of the refused operations', async () => {
    expect(await it.app.db.query('select id from uploads')).toEqual([]);
    expect(await it.app.db.query('select id from lipsyncs')).toEqual([]);
    const asked = await it.readSandbox<{ method: string }[]>('requests');
    expect(asked.filter(({ method }) => method !== 'GET')).toEqual([]);
  });
});
