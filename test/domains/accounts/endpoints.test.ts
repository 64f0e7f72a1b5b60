import { describe, expect, test } from 'vitest';
import {
  getAccount,
  getFeatures,
  listAccounts,
  reconnect,
} from '../../../src/domains/accounts/endpoints.ts';
import { connect, serveAnswer, thrownBy } from '../../upstream/servers.ts';

const email = 'a+b@c.d';
const entry = {
  email,
  password: '…secured…',
  maxJobs: 3,
  jwt: { AccountId: 1, ExpireTime: 1735733594, ExpireTimeUTC: '2025-01-01T12:13:14.000Z' },
};
const account = {
  email,
  maxJobs: 3,
  pendingError: false,
  sessionExpiresAt: new Date('2025-01-01T12:13:14Z'),
};

describe('accounts', () => {
  test.each([
    ['a map by e-mail', { [email]: entry }],
    ['a map whose entries do not repeat the e-mail', { [email]: { ...entry, email: undefined } }],
    ['a list', [entry, {}, null]],
  ])('are read from %s', async (_name, body) => {
    const served = await serveAnswer(200, body);
    expect(await listAccounts(connect(served.baseUrl).upstream)).toEqual([account]);
    expect(served.requests[0]?.path).toBe('/v2/pixverse/accounts');
  });

  test('are empty on 404 and for an empty map or list', async () => {
    for (const [status, body] of [
      [404, undefined],
      [200, {}],
      [200, []],
    ] as const) {
      const served = await serveAnswer(status, body);
      expect(await listAccounts(connect(served.baseUrl).upstream)).toEqual([]);
    }
  });

  test.each([[{ error: 'x' }], ['"x"'], ['null']])('%j is INVALID_ANSWER', async (body) => {
    const served = await serveAnswer(200, body);
    const read = listAccounts(connect(served.baseUrl).upstream);
    expect(await thrownBy(read)).toMatchObject({ reason: 'INVALID_ANSWER' });
  });

  test.each([
    [{ error: 'Password changed' }, true],
    [{ pendingError: { at: 1 } }, true],
    [{ hasPending: true }, true],
    [{ lastErrorCode: 10001 }, true],
    [{ error: '' }, false],
    [{ error: null, pending: false }, false],
    [{ errors: [], pending: {} }, false],
    [{ error: 'false', pending: '0' }, false],
    [{}, false],
  ])('with %j have pendingError %s', async (fields, pendingError) => {
    const served = await serveAnswer(200, { [email]: { ...entry, ...fields } });
    expect(await listAccounts(connect(served.baseUrl).upstream)).toMatchObject([{ pendingError }]);
  });

  test.each([
    [{ jwt: null }, null],
    [{ jwt: { ExpireTime: 1735733594 } }, new Date('2025-01-01T12:13:14Z')],
    [{ jwt: { ExpireTime: 1735733594000 } }, new Date('2025-01-01T12:13:14Z')],
    [{ jwt: { ExpireTimeUTC: '0001-01-01T00:00:00Z', ExpireTime: 0 } }, null],
  ])('with %j the session ends %s', async (fields, sessionExpiresAt) => {
    const served = await serveAnswer(200, { ...entry, ...fields });
    const { upstream } = connect(served.baseUrl);
    expect(await getAccount(upstream, email)).toMatchObject({ sessionExpiresAt });
  });
});

describe('one account', () => {
  test('is requested by its unencoded e-mail', async () => {
    const served = await serveAnswer(200, entry);
    expect(await getAccount(connect(served.baseUrl).upstream, email)).toEqual(account);
    expect(served.requests[0]?.path).toBe('/v2/pixverse/accounts/a+b@c.d');
  });

  test('has the requested e-mail if the response gives none', async () => {
    const served = await serveAnswer(200, { ...entry, email: undefined });
    expect(await getAccount(connect(served.baseUrl).upstream, email)).toEqual(account);
  });

  test('is null on 404 and for an e-mail that cannot be a path segment', async () => {
    const served = await serveAnswer(404);
    const { upstream } = connect(served.baseUrl);
    expect(await getAccount(upstream, email)).toBeNull();
    expect(await getAccount(upstream, 'a/b@c.d')).toBeNull();
    expect(served.requests).toHaveLength(1);
  });
});

describe('reconnecting', () => {
  const secret = { password: 'hunter2', maxJobs: 3 };

  test.each([201, 200])('succeeds with %i', async (status) => {
    const served = await serveAnswer(status, entry);
    const { upstream, logged } = connect(served.baseUrl);
    await reconnect(upstream, email, secret);
    expect(served.requests).toMatchObject([
      { method: 'POST', path: '/v2/pixverse/accounts/a+b@c.d' },
    ]);
    expect(JSON.parse(String(served.requests[0]?.body))).toEqual({ email, ...secret });
    expect(logged()).not.toContain('hunter2');
  });

  test.each([
    [401, { error: 'Unauthorized', code: 401 }, 'UPSTREAM_UNAUTHORIZED'],
    [401, '', 'UPSTREAM_UNAUTHORIZED'],
    [401, { error: 'hunter2 is the wrong password of a+b@c.d', code: 401 }, 'INVALID_INPUT'],
    [400, { error: 'hunter2 is wrong' }, 'INVALID_INPUT'],
    [404, {}, 'NOT_FOUND'],
    [500, '', 'UPSTREAM_UNAVAILABLE'],
    [200, { error: 'x' }, 'UPSTREAM_UNAVAILABLE'],
  ])('throws for a response %i with %j', async (status, body, code) => {
    const served = await serveAnswer(status, body);
    const { upstream, logged } = connect(served.baseUrl);
    const failure = await thrownBy(reconnect(upstream, email, secret));
    expect(failure).toMatchObject({ code });
    expect(JSON.stringify(failure) + logged()).not.toMatch(/hunter2|a\+b@c\.d/);
  });
});

describe('features', () => {
  test.each([
    [
      {
        credit_daily: 1,
        credit_monthly: 20,
        credit_package: 300,
        plan_name: 'Pro',
        gen_simultaneously: 5,
      },
      { credits: 321, planName: 'Pro', concurrentGenerations: 5 },
    ],
    [{ credit_daily: '7', credit_monthly: null, credit_monthly_gift: 99 }, { credits: 7 }],
    [{ credit_daily: 0 }, { credits: 0 }],
    [
      { plan_name: 'Free', price: '30' },
      { credits: null, planName: 'Free' },
    ],
    // Every field is optional.
    [{}, { credits: null, planName: null, concurrentGenerations: null }],
    [{ user_id: 7 }, { credits: null, planName: null }],
    [{ error: 'x', credit_daily: 3 }, { credits: 3 }],
  ])('%j become %j', async (body, expected) => {
    const served = await serveAnswer(200, body);
    expect(await getFeatures(connect(served.baseUrl).upstream, email)).toMatchObject(expected);
    expect(served.requests[0]?.path).toBe('/v2/pixverse/features/?email=a%2Bb%40c.d');
  });

  test.each([[{ error: 'x' }], [[]], ['"x"'], ['null']])(
    'that are %j are INVALID_ANSWER',
    async (body) => {
      const served = await serveAnswer(200, body);
      const read = getFeatures(connect(served.baseUrl).upstream);
      expect(await thrownBy(read)).toMatchObject({ reason: 'INVALID_ANSWER' });
    },
  );
});
