import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FailureCode } from '../../../src/errors.ts';
import { insertLipsync, openWithFakeUpstream } from './slice-harness.ts';

let harness: Awaited<ReturnType<typeof openWithFakeUpstream>>;
beforeAll(async () => {
  harness = await openWithFakeUpstream();
});
afterAll(() => harness.close());
beforeEach(() =>
  harness.reset(
    { email: 'a@b.example', maxJobs: 3, credits: 100 },
    { email: 'c+d@e.example', maxJobs: 5, credits: 7 },
  ),
);

const admin = { scopes: ['admin'] };
const fields =
  'id email maxJobs inFlight waitingCount credits planName isPaused pausedBy hasPendingError failure { code }';
const accountsQuery = `{ accounts { __typename ... on AccountList { nodes { ${fields} } } ... on LipsyncError { code } } }`;
const reconnectMutation = `mutation ($input: ReconnectAccountInput!) { reconnectAccount(input: $input) {
  __typename ... on ReconnectAccountSuccess { account { ${fields} } } ... on LipsyncError { code message } } }`;

type ShownAccount = { id: string; email: string } & Record<string, unknown>;

async function showAccounts(): Promise<ShownAccount[]> {
  const { data } = await harness.ask(accountsQuery, admin);
  return (data.accounts as unknown as { nodes: ShownAccount[] }).nodes;
}

async function firstAccount() {
  const [account] = await harness.accounts.listPresent();
  if (account === undefined) throw new Error('There is no account.');
  return account;
}

function pause(id: string, code: FailureCode) {
  return harness.db.transaction((tx) => harness.accounts.pause(tx, id, code));
}

async function pausedBy() {
  return (await firstAccount()).pausedBy;
}

const calls = (part: string) =>
  harness.upstream.calls().filter((call) => call.includes(part)).length;
const spentFeatures = {
  status: 200,
  body: JSON.stringify({ credit_daily: 0, credit_monthly: 0, credit_package: 0 }),
};
const unavailable = { status: 401, body: JSON.stringify({ error: 'Unauthorized' }) };

describe('the list', () => {
  it('keeps the id of an account, also while the upstream does not list it', async () => {
    const before = await harness.accounts.listPresent();
    expect(before.map(({ id }) => id)).toEqual([
      expect.stringMatching(/^[\w-]{12}$/),
      expect.stringMatching(/^[\w-]{12}$/),
    ]);
    const [kept] = harness.upstream.accounts;
    harness.upstream.accounts.shift();
    expect((await harness.accounts.refresh()).map(({ email }) => email)).toEqual(['c+d@e.example']);
    expect(await harness.accounts.ensure('a@b.example')).toMatchObject({
      id: before[0]?.id,
      isPresent: false,
    });
    if (kept !== undefined) harness.upstream.accounts.push(kept);
    expect((await harness.accounts.refresh()).map(({ id }) => id)).toContain(before[0]?.id);
  });

  it('is read once a minute, however many callers there are', async () => {
    await Promise.all(Array.from({ length: 50 }, () => harness.accounts.listPresent()));
    harness.advance(59_999);
    await harness.accounts.listPresent();
    expect(calls('/accounts')).toBe(1);
    harness.advance(1);
    await Promise.all(Array.from({ length: 50 }, () => harness.accounts.listPresent()));
    expect(calls('/accounts')).toBe(2);
  });

  it('is an older list while the upstream fails, which is retried every ten seconds only', async () => {
    await harness.accounts.listPresent();
    harness.advance(60_000);
    harness.upstream.replyToAll(() => unavailable);
    expect(await harness.accounts.listPresent()).toHaveLength(2);
    expect(await harness.accounts.listPresent()).toHaveLength(2);
    expect(calls('/accounts')).toBe(2);
    harness.advance(10_000);
    await harness.accounts.listPresent();
    expect(calls('/accounts')).toBe(3);
    harness.restart();
    expect(await harness.accounts.listPresent()).toHaveLength(2);
  });

  it('of a query is an older one while the upstream fails, which is retried every ten seconds only', async () => {
    await harness.accounts.listCached();
    harness.upstream.replyToAll(() => unavailable);
    for (let n = 0; n < 3; n += 1) expect(await harness.accounts.listCached()).toHaveLength(2);
    expect(calls('/accounts')).toBe(2);
    harness.advance(10_000);
    await harness.accounts.listCached();
    expect(calls('/accounts')).toBe(3);
    harness.upstream.replyToAll(null);
    harness.upstream.accounts.shift();
    harness.advance(10_000);
    expect(await harness.accounts.listCached()).toHaveLength(1);
  });

  it('throws the failure without an older list, and NO_ACCOUNT if the upstream has no account', async () => {
    harness.upstream.replyToAll(() => unavailable);
    await expect(harness.accounts.listPresent()).rejects.toMatchObject({
      code: 'UPSTREAM_UNAUTHORIZED',
    });
    await harness.reset();
    await expect(harness.accounts.listPresent()).rejects.toMatchObject({ reason: 'NO_ACCOUNT' });
  });

  it('inserts one row, not present, for an unknown e-mail that many callers pass at once', async () => {
    const met = await Promise.all(
      Array.from({ length: 20 }, () => harness.accounts.ensure('x@y.example')),
    );
    expect(new Set(met.map(({ id }) => id)).size).toBe(1);
    expect(met[0]?.isPresent).toBe(false);
  });

  // A second account was stored, to which nothing of the first one applied.
  it.each(['before', 'after'])(
    'has one account for an e-mail that a video id names with other capital letters %s the list is read',
    async (when) => {
      harness.upstream.accounts[0] = { email: 'Studio@B.example', maxJobs: 3 };
      if (when === 'after') await harness.accounts.listPresent();
      const id = await harness.accounts.idOf('studio@b.example');
      const [listed] = await harness.accounts.refresh();
      expect(listed).toMatchObject({ id, email: 'Studio@B.example', maxJobs: 3, isPresent: true });
      expect(await harness.accounts.idOf('STUDIO@b.example')).toBe(id);
      expect(await harness.accounts.emailOf(harness.db, id)).toBe('Studio@B.example');
      await harness.accounts.recordExternalLoad('studio@b.example', 2);
      expect((await firstAccount()).externalLoad).toBe(2);
    },
  );

  it('prefers the listed account to one that an older version stored with other capital letters', async () => {
    const [listed] = await harness.accounts.listPresent();
    await harness.db.query(
      "insert into accounts (id, email, is_present) values ('phantom', 'A@b.example', false)",
    );
    expect(await harness.accounts.idOf('A@b.example')).toBe(listed?.id);
    expect(await harness.accounts.refresh()).toHaveLength(2);
  });

  it('keeps two accounts that the upstream lists with different capital letters', async () => {
    harness.upstream.accounts.push({ email: 'A@b.example', maxJobs: 1 });
    for (const { email, id } of [
      ...(await harness.accounts.refresh()),
      ...(await harness.accounts.refresh()),
    ]) {
      expect(await harness.accounts.idOf(email)).toBe(id);
    }
    expect(await harness.accounts.listPresent()).toHaveLength(3);
  });

  it('picks a healthy account for uploads, or any if there is none', async () => {
    expect(await harness.accounts.pickForUpload()).toBe('a@b.example');
    await pause((await firstAccount()).id, 'INSUFFICIENT_CREDITS');
    expect(await harness.accounts.pickForUpload()).toBe('c+d@e.example');
    for (const { id } of await harness.accounts.listPresent()) await pause(id, 'ACCOUNT_PENDING');
    expect(await harness.accounts.pickForUpload()).toBe('a@b.example');
  });
});

describe('a paused account', () => {
  it.each(['UPSTREAM_UNAUTHORIZED', 'SUBSCRIPTION_EXPIRED'] as const)(
    'resumes after %s with any successful read, after a second',
    async (code) => {
      const { id } = await firstAccount();
      await pause(id, code);
      expect(await harness.accounts.probeDue()).toBe(false);
      harness.advance(1_000);
      harness.upstream.replyToAll(() => unavailable);
      expect(await harness.accounts.probeDue()).toBe(false);
      harness.upstream.replyToAll(null);
      expect(await harness.accounts.probeDue()).toBe(false);
      harness.advance(60_000);
      expect(await harness.accounts.probeDue()).toBe(true);
      expect(await pausedBy()).toBeNull();
    },
  );

  it.each([
    ['UPSTREAM_UNAUTHORIZED', {}],
    ['SUBSCRIPTION_EXPIRED', { user_id: 7 }],
  ] as const)('resumes after %s also if the features have no known field', async (code, body) => {
    await pause((await firstAccount()).id, code);
    harness.upstream.reply('GET /features', { status: 200, body: JSON.stringify(body) });
    harness.advance(1_000);
    expect(await harness.accounts.probeDue()).toBe(true);
    expect(await pausedBy()).toBeNull();
  });

  // It stayed paused for ever.
  it.each([
    { plan_name: 'Pro' },
    { credit_daily: 0, credit_monthly: 0 },
    { credit_daily: 0, credit_monthly: 'many', credit_package: 0 },
  ])(
    'resumes after INSUFFICIENT_CREDITS after a minute if the credits are reported as %j, and then backs off',
    async (features) => {
      const { id } = await firstAccount();
      harness.upstream.reply('GET /features', { status: 200, body: JSON.stringify(features) });
      for (const seconds of [61, 60, 120, 240, 480]) {
        await pause(id, 'INSUFFICIENT_CREDITS');
        harness.advance(1_000);
        expect(await harness.accounts.probeDue()).toBe(false);
        harness.advance(seconds * 1_000 - 2_000);
        expect(await harness.accounts.probeDue()).toBe(false);
        harness.advance(1_000);
        expect(await harness.accounts.probeDue()).toBe(true);
      }
    },
  );

  it('resumes after ACCOUNT_PENDING also if the account has no known field', async () => {
    await pause((await firstAccount()).id, 'ACCOUNT_PENDING');
    harness.upstream.reply('GET /accounts/{email}', { status: 200, body: '{}' });
    harness.advance(1_000);
    expect(await harness.accounts.probeDue()).toBe(true);
  });

  it('stays paused after INSUFFICIENT_CREDITS while all credits are reported and are 0', async () => {
    const account = harness.upstream.accounts[0];
    if (account === undefined) throw new Error('There is no account.');
    await pause((await firstAccount()).id, 'INSUFFICIENT_CREDITS');
    for (const [credits, isResumed] of [
      [0, false],
      ['0', false],
      [0, false],
      [1, true],
    ] as const) {
      account.credits = credits;
      harness.advance(60_000);
      expect(await harness.accounts.probeDue()).toBe(isResumed);
    }
    expect(await pausedBy()).toBeNull();
  });

  it('resumes after INSUFFICIENT_CREDITS with the next probe when a part of the credits is reported and above 0', async () => {
    await pause((await firstAccount()).id, 'INSUFFICIENT_CREDITS');
    harness.upstream.reply('GET /features', { status: 200, body: '{"credit_package":5}' });
    harness.advance(1_000);
    expect(await harness.accounts.probeDue()).toBe(true);
  });

  it('resumes after ACCOUNT_PENDING when the account has no pending error', async () => {
    const account = harness.upstream.accounts[0];
    if (account === undefined) throw new Error('There is no account.');
    account.error = 'Your PixVerse account has pending error.';
    await pause((await firstAccount()).id, 'ACCOUNT_PENDING');
    harness.advance(60_000);
    expect(await harness.accounts.probeDue()).toBe(false);
    expect(await firstAccount()).toMatchObject({
      pausedBy: 'ACCOUNT_PENDING',
      hasPendingError: true,
    });
    delete account.error;
    harness.advance(60_000);
    expect(await harness.accounts.probeDue()).toBe(true);
  });

  it('is probed by one of several instances, at most once a minute', async () => {
    await pause((await firstAccount()).id, 'UPSTREAM_UNAUTHORIZED');
    harness.upstream.replyToAll((call) => (call.includes('features') ? unavailable : null));
    for (let second = 0; second < 180; second += 1) {
      harness.advance(1_000);
      await Promise.all([harness.accounts.probeDue(), harness.accounts.probeDue()]);
    }
    expect(calls('/features/')).toBe(3);
  });

  it('is probed with back-off when jobs fail again after a successful probe', async () => {
    const { id } = await firstAccount();
    const waits: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      await pause(id, 'INSUFFICIENT_CREDITS');
      let seconds = 0;
      do {
        harness.advance(1_000);
        seconds += 1;
      } while (!(await harness.accounts.probeDue()));
      waits.push(seconds);
    }
    expect(waits).toEqual([1, 60, 120, 240, 480, 600, 600]);
    harness.advance(10 * 60_000 + 1);
    await pause(id, 'INSUFFICIENT_CREDITS');
    harness.advance(1_000);
    expect(await harness.accounts.probeDue()).toBe(true);
  });

  it('keeps its first pause when another job has the same failure', async () => {
    const { id } = await firstAccount();
    await pause(id, 'INSUFFICIENT_CREDITS');
    harness.advance(1_000);
    await pause(id, 'INSUFFICIENT_CREDITS');
    expect(await harness.accounts.probeDue()).toBe(true);
  });

  /** The upstream no longer lists the first account. */
  async function removeFirst() {
    const { id } = await firstAccount();
    const removed = harness.upstream.accounts.shift();
    await harness.accounts.refresh();
    return { id, restore: () => removed && harness.upstream.accounts.unshift(removed) };
  }

  const isPaused = async (wanted: string) =>
    (await harness.accounts.readAvailability(harness.db, harness.clock.now)).find(
      ({ id }) => id === wanted,
    )?.isPaused;

  // It was never probed, so lip-syncs that were bound to it waited for ever.
  it.each([
    'ACCOUNT_PENDING',
    'INSUFFICIENT_CREDITS',
    'SUBSCRIPTION_EXPIRED',
    'UPSTREAM_UNAUTHORIZED',
  ] as const)('resumes after %s once the upstream no longer lists it', async (code) => {
    const { id } = await firstAccount();
    await pause(id, code);
    await removeFirst();
    harness.upstream.replyToAll((call) => (call.includes('a@b') ? unavailable : null));
    harness.advance(1_000);
    expect(await harness.accounts.probeDue()).toBe(true);
    expect(await isPaused(id)).toBe(false);
    harness.advance(600_000);
    const before = harness.upstream.calls().length;
    expect(await harness.accounts.probeDue()).toBe(false);
    expect(harness.upstream.calls()).toHaveLength(before);
  });

  it('stays paused while it is not known whether the upstream still lists it', async () => {
    const { id } = await removeFirst();
    await pause(id, 'ACCOUNT_PENDING');
    harness.upstream.reply('GET /accounts', { status: 503, body: '{}' });
    harness.advance(1_000);
    expect(await harness.accounts.probeDue()).toBe(false);
    harness.upstream.reply('GET /accounts', null);
    harness.advance(60_000);
    expect(await harness.accounts.probeDue()).toBe(true);
  });

  it('stays paused if the upstream lists it again with its pending error', async () => {
    const { id, restore } = await removeFirst();
    await pause(id, 'ACCOUNT_PENDING');
    restore();
    const account = harness.upstream.accounts[0];
    if (account === undefined) throw new Error('There is no account.');
    account.error = 'Your PixVerse account has pending error.';
    harness.advance(1_000);
    expect(await harness.accounts.probeDue()).toBe(false);
    expect(await firstAccount()).toMatchObject({ id, pausedBy: 'ACCOUNT_PENDING' });
  });

  it('is resumed with back-off while the upstream does not list it and its jobs fail again', async () => {
    const { id } = await removeFirst();
    const waits: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      await pause(id, 'ACCOUNT_PENDING');
      let seconds = 0;
      do {
        harness.advance(1_000);
        seconds += 1;
      } while (!(await harness.accounts.probeDue()) && seconds < 700);
      waits.push(seconds);
    }
    expect(waits).toEqual([1, 60, 120, 240, 480, 600]);
    expect(calls('/accounts')).toBe(2 + waits.length);
  });

  it('notifies the queue when it resumes', async () => {
    await pause((await firstAccount()).id, 'INSUFFICIENT_CREDITS');
    harness.advance(1_000);
    const notified = Promise.withResolvers<string>();
    const stop = await harness.db.listen('queue_changed', {
      onMessage: notified.resolve,
      onReconnected: () => undefined,
    });
    await harness.accounts.probeDue();
    expect(await notified.promise).toBe('');
    await stop();
  });

  it('cools down until the later of two times', async () => {
    const { id } = await firstAccount();
    const at = (seconds: number) => new Date(harness.clock.now.getTime() + seconds * 1000);
    await harness.db.transaction((tx) => harness.accounts.coolDown(tx, id, at(30)));
    await harness.db.transaction((tx) => harness.accounts.coolDown(tx, id, at(10)));
    expect((await firstAccount()).cooldownUntil).toEqual(at(30));
  });
});

describe('availability', () => {
  const availability = () => harness.accounts.readAvailability(harness.db, harness.clock.now);

  it('lists every account with its limits, pause, cooldown and external load', async () => {
    const { id, email } = await firstAccount();
    const until = new Date(harness.clock.now.getTime() + 30_000);
    await harness.accounts.coolDown(harness.db, id, until);
    await harness.accounts.recordExternalLoad(email, 2);
    await pause(id, 'ACCOUNT_PENDING');
    await harness.accounts.ensure('x@y.example');
    const accounts = await availability();
    expect(accounts.map((account) => account.id)).toEqual(accounts.map((it) => it.id).toSorted());
    const byEmail = new Map(accounts.map((account) => [account.email, account]));
    expect(byEmail.get(email)).toEqual({
      id,
      email,
      maxJobs: 3,
      isPresent: true,
      hasPendingError: false,
      isPaused: true,
      isSpent: false,
      cooldownUntil: until,
      externalLoad: 2,
      credits: null,
      creditsAt: null,
    });
    expect(byEmail.get('x@y.example')).toMatchObject({
      maxJobs: null,
      isPresent: false,
      isPaused: false,
      cooldownUntil: null,
      externalLoad: 0,
    });
  });

  it('uses a reading of the external load for a minute', async () => {
    const { id, email } = await firstAccount();
    await harness.accounts.recordExternalLoad(email, 2);
    const load = async () => (await availability()).find((it) => it.id === id)?.externalLoad;
    harness.advance(59_999);
    expect(await load()).toBe(2);
    harness.advance(1);
    expect(await load()).toBe(0);
  });

  it('has the credits of the last reading without what was accepted since', async () => {
    const account = await firstAccount();
    const credits = async () => (await availability()).find(({ id }) => id === account.id)?.credits;
    const spend = (cost: number) =>
      harness.db.transaction((tx) => harness.accounts.recordSpending(tx, account.id, cost));
    await spend(5);
    expect(await credits()).toBeNull();
    await harness.accounts.guardCredits([account]);
    expect(await credits()).toBe(100);
    await spend(20);
    await spend(0.5);
    expect(await credits()).toBe(79.5);
    harness.advance(59_999);
    await harness.accounts.guardCredits([account]);
    expect(await credits()).toBe(79.5);
    harness.advance(1);
    await harness.accounts.guardCredits([account]);
    expect(await credits()).toBe(100);
  });

  it('says of each account whether its credits were read and none were left', async () => {
    const [one, two] = await harness.accounts.listPresent();
    if (one === undefined || two === undefined) throw new Error('There are no accounts.');
    harness.upstream.replyToAll((call) =>
      call.includes('features') && call.includes('a%40b') ? spentFeatures : null,
    );
    await harness.accounts.guardCredits([one, two]);
    const spent = (await availability()).filter(({ isSpent }) => isSpent);
    expect(spent.map(({ id }) => id)).toEqual([one.id]);
  });

  it('gives the e-mail of an account, or null for an unknown id', async () => {
    const { id, email } = await firstAccount();
    expect(await harness.accounts.emailOf(harness.db, id)).toBe(email);
    expect(await harness.accounts.emailOf(harness.db, 'unknown')).toBeNull();
  });
});

describe('an admin', () => {
  it('sees capacity, load, credits and pauses', async () => {
    const account = await firstAccount();
    const job = { owner: 'key:a', account_id: account.id };
    await insertLipsync(harness.db, { ...job, status: 'GENERATING', holds_slot: true });
    await insertLipsync(harness.db, { ...job, status: 'QUEUED' });
    await insertLipsync(harness.db, { ...job, finished_at: new Date() });
    await pause(account.id, 'INSUFFICIENT_CREDITS');
    expect((await showAccounts())[0]).toMatchObject({
      email: 'a@b.example',
      maxJobs: 3,
      inFlight: 1,
      waitingCount: 1,
      credits: 100,
      planName: 'Pro',
      isPaused: true,
      pausedBy: 'INSUFFICIENT_CREDITS',
      hasPendingError: false,
      failure: null,
    });
  });

  it('sees the other accounts when the credits of one cannot be read', async () => {
    harness.upstream.replyToAll((call) =>
      call.includes('features') && call.includes('a%40b') ? { status: 596, body: '{}' } : null,
    );
    expect(await showAccounts()).toMatchObject([
      { credits: null, failure: { code: 'ACCOUNT_PENDING' } },
      { credits: 7, failure: null },
    ]);
  });

  it('gets a failure as a member of the union', async () => {
    harness.upstream.replyToAll(() => unavailable);
    expect((await harness.ask(accountsQuery, admin)).data).toEqual({
      accounts: { __typename: 'UpstreamUnauthorizedError', code: 'UPSTREAM_UNAUTHORIZED' },
    });
  });

  it('reconnects an account, which ends its pause and leaves the password in no row and no log line', async () => {
    const { id } = await firstAccount();
    await pause(id, 'ACCOUNT_PENDING');
    const [account] = await showAccounts();
    const input = { accountId: account?.id, password: 'hunter2-very-secret', maxJobs: 4 };
    const { data } = await harness.ask(reconnectMutation, admin, { input });
    expect(data.reconnectAccount).toMatchObject({
      __typename: 'ReconnectAccountSuccess',
      account: { id: account?.id, maxJobs: 4, isPaused: false, pausedBy: null },
    });
    const rows = await harness.db.query('select to_jsonb(accounts) as row from accounts');
    expect(JSON.stringify(rows) + harness.lines.join('')).not.toContain('hunter2');
  });

  it('reconnects an account that the upstream does not list, which a probe then leaves open', async () => {
    const [account] = await showAccounts();
    const { id } = await firstAccount();
    await pause(id, 'ACCOUNT_PENDING');
    const [removed] = harness.upstream.accounts;
    harness.upstream.accounts.shift();
    await harness.accounts.refresh();
    if (removed !== undefined) harness.upstream.accounts.unshift(removed);
    const input = { accountId: account?.id, password: 'secret' };
    await harness.ask(reconnectMutation, admin, { input });
    harness.advance(1_000);
    expect(await harness.accounts.probeDue()).toBe(false);
    expect(await firstAccount()).toMatchObject({ id, isPresent: true, pausedBy: null });
  });

  it.each([
    [{ maxJobs: 9 }, 'INVALID_INPUT'],
    [{ maxJobs: 0 }, 'INVALID_INPUT'],
    [{ password: '' }, 'INVALID_INPUT'],
    [{ accountId: 'rubbish' }, 'NOT_FOUND'],
    [{ accountId: Buffer.from('Account:a\0b').toString('base64url') }, 'NOT_FOUND'],
  ])('cannot reconnect with %j', async (wrong, code) => {
    const [account] = await showAccounts();
    const input = { accountId: account?.id, password: 'secret', ...wrong };
    const { data } = await harness.ask(reconnectMutation, admin, { input });
    expect(data.reconnectAccount).toMatchObject({ code });
    expect(calls('POST')).toBe(0);
  });
});

describe('keeps out', () => {
  it('shows no e-mail to callers without the scope admin', async () => {
    const [account] = await showAccounts();
    const others = { scopes: ['lipsync:read', 'lipsync:write', 'videos:read', 'videos:write'] };
    const input = { accountId: account?.id, password: 'secret' };
    expect((await harness.ask(accountsQuery, others)).data).toMatchObject({
      accounts: { code: 'NOT_AUTHORIZED' },
    });
    expect((await harness.ask(reconnectMutation, others, { input })).data).toMatchObject({
      reconnectAccount: { code: 'NOT_AUTHORIZED' },
    });
    const node = 'query ($id: ID!) { node(id: $id) { id ... on Account { email } } }';
    expect(await harness.ask(node, others, { id: account?.id })).toEqual({ data: { node: null } });
    expect(await harness.ask(node, admin, { id: account?.id })).toEqual({
      data: { node: { id: account?.id, email: 'a@b.example' } },
    });
    expect(
      await harness.ask(node, admin, { id: Buffer.from('Account:\0').toString('base64url') }),
    ).toEqual({ data: { node: null } });
  });
});
