import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FailureCode } from '../../../src/errors.ts';
import { insertLipsync, openOddWorld } from './world.ts';

let world: Awaited<ReturnType<typeof openOddWorld>>;
beforeAll(async () => {
  world = await openOddWorld();
});
afterAll(() => world.close());
beforeEach(() =>
  world.begin(
    { email: 'a@b.example', maxJobs: 3, credits: 100, videos: [] },
    { email: 'c+d@e.example', maxJobs: 5, credits: 7, videos: [] },
  ),
);

const admin = { scopes: ['admin'] };
const fields =
  'id email maxJobs inFlight waiting credits planName isPaused pausedBy hasPendingError failure { code }';
const accountsQuery = `{ accounts { __typename ... on AccountList { nodes { ${fields} } } ... on LipsyncError { code } } }`;
const reconnectMutation = `mutation ($input: ReconnectAccountInput!) { reconnectAccount(input: $input) {
  __typename ... on ReconnectAccountSuccess { account { ${fields} } } ... on LipsyncError { code message } } }`;

type Shown = { id: string; email: string } & Record<string, unknown>;

async function shown(): Promise<Shown[]> {
  const { data } = await world.ask(accountsQuery, admin);
  return (data.accounts as unknown as { nodes: Shown[] }).nodes;
}

async function first() {
  const [account] = await world.accounts.listPresent();
  if (account === undefined) throw new Error('There is no account.');
  return account;
}

function pause(id: string, code: FailureCode) {
  return world.db.transaction((tx) => world.accounts.pause(tx, id, code));
}

async function pausedBy() {
  return (await first()).pausedBy;
}

const calls = (part: string) => world.odd.requests.filter((call) => call.includes(part)).length;
const unavailable = { status: 401, body: { error: 'Unauthorized' } };

describe('the list', () => {
  it('keeps the id of an account for ever, also while the upstream does not list it', async () => {
    const before = await world.accounts.listPresent();
    expect(before.map(({ id }) => id)).toEqual([
      expect.stringMatching(/^[\w-]{12}$/),
      expect.stringMatching(/^[\w-]{12}$/),
    ]);
    const [kept] = world.odd.accounts;
    world.odd.accounts.shift();
    expect((await world.accounts.refresh()).map(({ email }) => email)).toEqual(['c+d@e.example']);
    expect(await world.accounts.ensure('a@b.example')).toMatchObject({
      id: before[0]?.id,
      isPresent: false,
    });
    if (kept !== undefined) world.odd.accounts.push(kept);
    expect((await world.accounts.refresh()).map(({ id }) => id)).toContain(before[0]?.id);
  });

  it('is read once a minute, whoever asks', async () => {
    await Promise.all(Array.from({ length: 50 }, () => world.accounts.listPresent()));
    world.advance(59_999);
    await world.accounts.listPresent();
    expect(calls('/accounts')).toBe(1);
    world.advance(1);
    await Promise.all(Array.from({ length: 50 }, () => world.accounts.listPresent()));
    expect(calls('/accounts')).toBe(2);
  });

  it('is an older one while the upstream fails, and does not ask each time', async () => {
    await world.accounts.listPresent();
    world.advance(60_000);
    world.odd.refuse = () => unavailable;
    expect(await world.accounts.listPresent()).toHaveLength(2);
    expect(await world.accounts.listPresent()).toHaveLength(2);
    expect(calls('/accounts')).toBe(2);
    world.advance(10_000);
    await world.accounts.listPresent();
    expect(calls('/accounts')).toBe(3);
    world.restart();
    expect(await world.accounts.listPresent()).toHaveLength(2);
  });

  it('throws the failure where there is no older one, and says where there is no account', async () => {
    world.odd.refuse = () => unavailable;
    await expect(world.accounts.listPresent()).rejects.toMatchObject({
      code: 'UPSTREAM_UNAUTHORIZED',
    });
    await world.begin();
    await expect(world.accounts.listPresent()).rejects.toMatchObject({ reason: 'NO_ACCOUNT' });
  });

  it('makes one row of an e-mail that many meet at once, not present', async () => {
    const met = await Promise.all(
      Array.from({ length: 20 }, () => world.accounts.ensure('x@y.example')),
    );
    expect(new Set(met.map(({ id }) => id)).size).toBe(1);
    expect(met[0]?.isPresent).toBe(false);
  });

  it('picks an account in order for uploads, and any where there is none', async () => {
    expect(await world.accounts.pickForUpload()).toBe('a@b.example');
    await pause((await first()).id, 'INSUFFICIENT_CREDITS');
    expect(await world.accounts.pickForUpload()).toBe('c+d@e.example');
    for (const { id } of await world.accounts.listPresent()) await pause(id, 'ACCOUNT_PENDING');
    expect(await world.accounts.pickForUpload()).toBe('a@b.example');
  });
});

describe('a paused account', () => {
  it.each(['UPSTREAM_UNAUTHORIZED', 'SUBSCRIPTION_EXPIRED'] as const)(
    'heals of %s by any good read, after a second',
    async (code) => {
      const { id } = await first();
      await pause(id, code);
      expect(await world.accounts.probeDue()).toBe(false);
      world.advance(1_000);
      world.odd.refuse = () => unavailable;
      expect(await world.accounts.probeDue()).toBe(false);
      world.odd.refuse = undefined;
      expect(await world.accounts.probeDue()).toBe(false);
      world.advance(60_000);
      expect(await world.accounts.probeDue()).toBe(true);
      expect(await pausedBy()).toBeNull();
    },
  );

  it('heals of INSUFFICIENT_CREDITS when there are credits, and not where nothing is told', async () => {
    const account = world.odd.accounts[0];
    if (account === undefined) throw new Error('There is no account.');
    await pause((await first()).id, 'INSUFFICIENT_CREDITS');
    for (const [credits, isHealed] of [
      [0, false],
      [null, false],
      ['many', false],
      [1, true],
    ] as const) {
      account.credits = credits;
      world.advance(60_000);
      expect(await world.accounts.probeDue()).toBe(isHealed);
    }
    expect(await pausedBy()).toBeNull();
  });

  it('heals of ACCOUNT_PENDING when the list shows no pending error', async () => {
    const account = world.odd.accounts[0];
    if (account === undefined) throw new Error('There is no account.');
    account.error = 'Your PixVerse account has pending error.';
    await pause((await first()).id, 'ACCOUNT_PENDING');
    world.advance(60_000);
    expect(await world.accounts.probeDue()).toBe(false);
    expect(await first()).toMatchObject({ pausedBy: 'ACCOUNT_PENDING', hasPendingError: true });
    delete account.error;
    world.advance(60_000);
    expect(await world.accounts.probeDue()).toBe(true);
  });

  it('is probed by one of many, at most once a minute', async () => {
    await pause((await first()).id, 'UPSTREAM_UNAUTHORIZED');
    world.odd.refuse = (call) => (call.includes('features') ? unavailable : undefined);
    for (let second = 0; second < 180; second += 1) {
      world.advance(1_000);
      await Promise.all([world.accounts.probeDue(), world.accounts.probeDue()]);
    }
    expect(calls('/features/')).toBe(3);
  });

  it('is probed ever more seldom where the read says good and the next job says bad again', async () => {
    const { id } = await first();
    const waits: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      await pause(id, 'INSUFFICIENT_CREDITS');
      let seconds = 0;
      do {
        world.advance(1_000);
        seconds += 1;
      } while (!(await world.accounts.probeDue()));
      waits.push(seconds);
    }
    expect(waits).toEqual([1, 60, 120, 240, 480, 600, 600]);
    world.advance(10 * 60_000 + 1);
    await pause(id, 'INSUFFICIENT_CREDITS');
    world.advance(1_000);
    expect(await world.accounts.probeDue()).toBe(true);
  });

  it('keeps its first pause when another job meets the same', async () => {
    const { id } = await first();
    await pause(id, 'INSUFFICIENT_CREDITS');
    world.advance(1_000);
    await pause(id, 'INSUFFICIENT_CREDITS');
    expect(await world.accounts.probeDue()).toBe(true);
  });

  it('tells the queue when it healed', async () => {
    await pause((await first()).id, 'INSUFFICIENT_CREDITS');
    world.advance(1_000);
    const told = Promise.withResolvers<string>();
    const stop = await world.db.listen('queue_changed', {
      onMessage: told.resolve,
      onReconnected: () => undefined,
    });
    await world.accounts.probeDue();
    expect(await told.promise).toBe('');
    await stop();
  });

  it('cools until the later of two answers', async () => {
    const { id } = await first();
    const at = (seconds: number) => new Date(world.clock.now.getTime() + seconds * 1000);
    await world.db.transaction((tx) => world.accounts.coolDown(tx, id, at(30)));
    await world.db.transaction((tx) => world.accounts.coolDown(tx, id, at(10)));
    expect((await first()).cooldownUntil).toEqual(at(30));
  });
});

describe('an admin', () => {
  it('sees capacity, load, credits and pauses', async () => {
    const account = await first();
    const job = { owner: 'key:a', account_id: account.id };
    await insertLipsync(world.db, { ...job, status: 'GENERATING', holds_slot: true });
    await insertLipsync(world.db, { ...job, status: 'QUEUED' });
    await insertLipsync(world.db, { ...job, finished_at: new Date() });
    await pause(account.id, 'INSUFFICIENT_CREDITS');
    expect((await shown())[0]).toMatchObject({
      email: 'a@b.example',
      maxJobs: 3,
      inFlight: 1,
      waiting: 1,
      credits: 100,
      planName: 'Pro',
      isPaused: true,
      pausedBy: 'INSUFFICIENT_CREDITS',
      hasPendingError: false,
      failure: null,
    });
  });

  it('costs one list and one read of features for each account, however many ask', async () => {
    await Promise.all(Array.from({ length: 50 }, () => world.ask(accountsQuery, admin)));
    expect([calls('/accounts'), calls('/features/')]).toEqual([1, 2]);
  });

  it('sees the others when the credits of one can not be read', async () => {
    world.odd.refuse = (call) =>
      call.includes('features') && call.includes('a%40b') ? { status: 596, body: {} } : undefined;
    expect(await shown()).toMatchObject([
      { credits: null, failure: { code: 'ACCOUNT_PENDING' } },
      { credits: 7, failure: null },
    ]);
  });

  it('gets the failure as a member of the union', async () => {
    world.odd.refuse = () => unavailable;
    expect((await world.ask(accountsQuery, admin)).data).toEqual({
      accounts: { __typename: 'UpstreamUnauthorizedError', code: 'UPSTREAM_UNAUTHORIZED' },
    });
  });

  it('reconnects an account, which ends its pause, and the password is nowhere after', async () => {
    const { id } = await first();
    await pause(id, 'ACCOUNT_PENDING');
    const [account] = await shown();
    const input = { accountId: account?.id, password: 'hunter2-very-secret', maxJobs: 4 };
    const { data } = await world.ask(reconnectMutation, admin, { input });
    expect(data.reconnectAccount).toMatchObject({
      __typename: 'ReconnectAccountSuccess',
      account: { id: account?.id, maxJobs: 4, isPaused: false, pausedBy: null },
    });
    const rows = await world.db.query('select to_jsonb(accounts) as row from accounts');
    expect(JSON.stringify(rows) + world.lines.join('')).not.toContain('hunter2');
  });

  it.each([
    [{ maxJobs: 9 }, 'INVALID_INPUT'],
    [{ maxJobs: 0 }, 'INVALID_INPUT'],
    [{ password: '' }, 'INVALID_INPUT'],
    [{ accountId: 'rubbish' }, 'NOT_FOUND'],
    [{ accountId: Buffer.from('Account:a\0b').toString('base64url') }, 'NOT_FOUND'],
  ])('is refused to reconnect with %j', async (wrong, code) => {
    const [account] = await shown();
    const input = { accountId: account?.id, password: 'secret', ...wrong };
    const { data } = await world.ask(reconnectMutation, admin, { input });
    expect(data.reconnectAccount).toMatchObject({ code });
    expect(calls('POST')).toBe(0);
  });
});

describe('keeps out', () => {
  it('tells no e-mail to anybody else', async () => {
    const [account] = await shown();
    const others = { scopes: ['lipsync:read', 'lipsync:write', 'videos:read', 'videos:write'] };
    const input = { accountId: account?.id, password: 'secret' };
    expect((await world.ask(accountsQuery, others)).data).toMatchObject({
      accounts: { code: 'NOT_AUTHORIZED' },
    });
    expect((await world.ask(reconnectMutation, others, { input })).data).toMatchObject({
      reconnectAccount: { code: 'NOT_AUTHORIZED' },
    });
    const node = 'query ($id: ID!) { node(id: $id) { id ... on Account { email } } }';
    expect(await world.ask(node, others, { id: account?.id })).toEqual({ data: { node: null } });
    expect(await world.ask(node, admin, { id: account?.id })).toEqual({
      data: { node: { id: account?.id, email: 'a@b.example' } },
    });
    expect(
      await world.ask(node, admin, { id: Buffer.from('Account:\0').toString('base64url') }),
    ).toEqual({ data: { node: null } });
  });
});
