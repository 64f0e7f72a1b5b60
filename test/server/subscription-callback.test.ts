import type { ServerResponse } from 'node:http';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openReceiver, type Receiver } from '../domains/webhooks/webhook-receiver.ts';
import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp } from '../support/app.ts';

/** Where names lead, for the dialer: the system's own look-up has none that are the same on every machine. */
const names: Record<string, string> = {
  'router.example': '127.0.0.1',
  'inside.example': '10.0.0.1',
  'secrets.example': '169.254.169.254',
};
vi.mock('node:dns', async (importOriginal) => {
  const dns = await importOriginal<typeof import('node:dns')>();
  const lookup: typeof dns.lookup = Object.assign(
    (...args: unknown[]) => {
      const [name, , done] = args as [string, object, (error: null, found: object[]) => void];
      const address = names[name];
      if (address !== undefined) return done(null, [{ address, family: 4 }]);
      return (dns.lookup as (...args: unknown[]) => void)(...args);
    },
    { __promisify__: dns.lookup.__promisify__ },
  );
  return { ...dns, lookup };
});

type Message = {
  kind: string;
  action: 'check' | 'next' | 'complete';
  id: string;
  verifier: string;
  payload?: { data: { lipsyncProgress: { __typename: string; sequence: number; status: string } } };
  errors?: { message: string; extensions: { code: string } }[];
};

const keys = createApiKeys({
  first: ['lipsync:read', 'lipsync:write', 'videos:read'],
  second: ['lipsync:read'],
});
const { first, second } = keys.headers;
const patient = { timeout: 15_000, interval: 10 };
const secret = 'a secret of no less than 32 bytes';
const clock = { aheadMs: 0 };

let app: TestApp;
let source: string;
/** One of `first`'s, of which nothing is heard. */
let quiet: string;
let router: Receiver;

beforeAll(async () => {
  app = await startTestApp({
    // Nothing is looked at in between, so that what makes no callback is quiet.
    env: {
      ...keys.env,
      AUTH_JWT_SECRET: secret,
      POLL_INTERVAL_MS: '600000',
      WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
    },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
    now: () => new Date(Date.now() + clock.aheadMs),
  });
  source = await findSource(app);
  quiet = await create('[[never]] Quiet.');
});
afterAll(() => app.stop());
afterEach(() => router.close());

async function findSource({ ask }: TestApp): Promise<string> {
  const { data } = await ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 1) { ... on VideoConnection { nodes { id } } } }',
    {},
    first,
  );
  return data?.videos.nodes[0]?.id ?? '';
}

async function create(text: string, headers: Record<string, string> = first): Promise<string> {
  const { data } = await app.ask<{ createLipsync: { lipsync: { id: string } } }>(
    `mutation ($video: ID!, $text: String!) {
       createLipsync(input: { video: { id: $video }, speech: { text: { text: $text } } }) {
         ... on CreateLipsyncSuccess { lipsync { id } } } }`,
    { video: source, text },
    headers,
  );
  return data?.createLipsync.lipsync.id ?? '';
}

const watched = () => app.app.services.lipsyncs.watchedCount();

const progress = `subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) {
  __typename ... on LipsyncProgress { sequence status } ... on LipsyncError { code } } }`;

/** A list, under the same name. */
const listProgress = `subscription ($id: ID!, $other: ID!, $after: String) {
  lipsyncProgress: lipsyncsProgress(ids: [$id, $other], after: $after) {
    __typename ... on LipsyncProgress { cursor sequence status lipsync { id } }
    ... on LipsyncError { code } } }`;

type Asking = {
  query?: string;
  variables?: Record<string, unknown>;
  headers?: Record<string, string>;
  /** Of `extensions.subscription`. */
  target?: Record<string, unknown>;
};

/** As Apollo Router and Hive Gateway ask. */
async function subscribe(
  id: string,
  { query = progress, variables = {}, headers = first, target = {} }: Asking = {},
) {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json;callbackSpec=1.0; charset=utf-8',
      ...headers,
    },
    body: JSON.stringify({
      query,
      variables: { id, ...variables },
      extensions: {
        subscription: {
          callbackUrl: router.url,
          subscriptionId: 'c4a9d1b8',
          verifier: 'XXX',
          heartbeatIntervalMs: 0,
          ...target,
        },
      },
    }),
  });
  const body = (await response.json()) as {
    data?: unknown;
    errors?: { message: string; extensions: { code: string } }[];
  };
  return { status: response.status, headers: response.headers, body };
}

const messages = () => router.received.map(({ body }) => JSON.parse(body) as Message);
const told = (action: Message['action']) => messages().filter((each) => each.action === action);

/** Answers each message with the status that the function gives for it; by itself 204. */
async function openRouter(statusOf: (message: Message, n: number) => number = () => 204) {
  router = await openReceiver((response: ServerResponse, n) => {
    response.writeHead(statusOf(messages()[n - 1] as Message, n)).end();
  });
}

describe('works', () => {
  test('the router is asked first, and then told of every event to the end', async () => {
    await openRouter();
    const answer = await subscribe(await create('To the end.'));
    expect(answer).toMatchObject({ status: 200, body: { data: null } });
    expect(answer.headers.get('subscription-protocol')).toBe('callback/1.0');
    await vi.waitFor(() => expect(told('complete')).toHaveLength(1), patient);
    const all = messages();
    expect(all[0]).toEqual({
      kind: 'subscription',
      action: 'check',
      id: 'c4a9d1b8',
      verifier: 'XXX',
    });
    expect(all.at(-1)).toEqual({ ...all[0], action: 'complete' });
    const events = told('next').map(({ payload }) => payload?.data.lipsyncProgress);
    expect(all.slice(1, -1)).toHaveLength(events.length);
    expect(events.map((event) => event?.sequence)).toEqual(
      events.map((_, at) => (events[0]?.sequence ?? 0) + at),
    );
    expect(events.at(-1)?.status).toBe('COMPLETED');
    // The router knows by these whose it is, and that it is ours.
    const { kind, id, verifier } = all[0] as Message;
    for (const each of all) expect(each).toMatchObject({ kind, id, verifier });
    for (const { method, headers } of router.received) {
      expect(method).toBe('POST');
      // Hive Gateway compares the whole header.
      expect(headers['content-type']).toBe('application/json');
      expect(headers['subscription-protocol']).toBe('callback/1.0');
    }
    expect(watched()).toBe(0);
  });

  test('a list is told in one subscription, ends where the router says 404, and goes on from its cursor', async () => {
    const [one, other] = [await create('[[never]] one.'), await create('[[never]] other.')];
    const asking = { query: listProgress, variables: { other } };
    let most = Number.POSITIVE_INFINITY;
    await openRouter((message) =>
      message.payload === undefined || told('next').length <= most ? 204 : 404,
    );
    await subscribe(one, asking);
    await vi.waitFor(() => expect(told('next').length).toBeGreaterThanOrEqual(2), patient);
    expect(watched()).toBe(2);
    most = told('next').length;
    await app.finishJobs('FAILED');
    await vi.waitFor(() => expect(watched()).toBe(0), patient);
    type Told = { cursor: string; sequence: number; status: string; lipsync: { id: string } };
    const updates = () =>
      told('next').map(({ payload }) => payload?.data.lipsyncProgress as unknown as Told);
    // The next one was refused with 404.
    const taken = updates().slice(0, most);
    router.close();

    await openRouter();
    const variables = { other: one, after: taken.at(-1)?.cursor };
    await subscribe(other, { query: listProgress, variables });
    await vi.waitFor(() => expect(told('complete')).toHaveLength(1), patient);
    for (const id of [one, other]) {
      const sequences = [...taken, ...updates()].flatMap(({ lipsync, sequence }) =>
        lipsync.id === id ? sequence : [],
      );
      expect(sequences).toEqual(sequences.map((_, at) => (sequences[0] ?? 0) + at));
      expect(updates().findLast(({ lipsync }) => lipsync.id === id)?.status).toBe('FAILED');
    }
    expect(watched()).toBe(0);
  });

  test('heartbeats go on while the job is quiet, and none is sent where none is wanted', async () => {
    await openRouter();
    const id = await create('[[never]] Quiet.');
    await subscribe(id, { target: { subscriptionId: 'without' } });
    await subscribe(id, { target: { subscriptionId: 'with', heartbeatIntervalMs: 200 } });
    const checksOf = (name: string) => told('check').filter((each) => each.id === name);
    await vi.waitFor(() => expect(checksOf('with').length).toBeGreaterThan(3), patient);
    expect(checksOf('without')).toHaveLength(1);
    await app.finishJobs();
    await vi.waitFor(() => expect(told('complete')).toHaveLength(2), patient);
  });

  test('a heartbeat goes out within five seconds, with time for its answer, however seldom the router asks for one', async () => {
    await openRouter();
    const id = await create('[[never]] Rare.');
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      // As Hive Gateway asks by itself.
      await subscribe(id, { target: { heartbeatIntervalMs: 50_000 } });
      await router.until(2);
      expect(told('check')).toHaveLength(1);
      vi.advanceTimersByTime(4_000);
      await vi.waitFor(() => expect(told('check')).toHaveLength(2), patient);
      router.close();
      vi.advanceTimersByTime(4_000);
    } finally {
      vi.useRealTimers();
    }
    await vi.waitFor(() => expect(watched()).toBe(0), patient);
  });

  test('a router is found by its name', async () => {
    await openRouter();
    const callbackUrl = router.url.replace('127.0.0.1', 'router.example');
    const target = { callbackUrl, heartbeatIntervalMs: 200 };
    expect((await subscribe(quiet, { target })).status).toBe(200);
    expect(router.received.at(0)?.headers.host).toMatch(/^router\.example:/);
    router.close();
    await vi.waitFor(() => expect(watched()).toBe(0), patient);
  });

  test('a router that is away for a moment is told again, and misses nothing', async () => {
    const failed = new Set<string>();
    await openRouter((message) => {
      const name = `${message.action} ${message.payload?.data.lipsyncProgress.sequence}`;
      const isFirst = !failed.has(name);
      failed.add(name);
      return isFirst && message.action !== 'check' ? 503 : 204;
    });
    await subscribe(await create('Again.'));
    await vi.waitFor(() => expect(told('complete')).toHaveLength(2), patient);
    const sequences = told('next').map(({ payload }) => payload?.data.lipsyncProgress.sequence);
    expect(sequences.filter((_, at) => at % 2 === 0)).toEqual(
      sequences.filter((_, at) => at % 2 === 1),
    );
  });

  test('a router that is still writing down what it asked for may take the second check', async () => {
    await openRouter((_, n) => (n === 1 ? 404 : 204));
    const { status } = await subscribe(await create('[[never]] Late.'));
    expect(status).toBe(200);
    expect(told('check')).toHaveLength(2);
    await app.finishJobs();
    await vi.waitFor(() => expect(told('complete')).toHaveLength(1), patient);
  });

  test('queries and other subscriptions are what they always are beside it', async () => {
    await openRouter();
    const query = '{ viewer { name } }';
    expect((await subscribe('', { query })).body.data).toEqual({ viewer: { name: 'first' } });
    expect(router.received).toEqual([]);
  });
});

describe('refuses', () => {
  test.each<[string, Asking]>([
    ['nobody', { headers: {} }],
    ['a key that is none', { headers: { authorization: 'Bearer nonsense' } }],
  ])('%s, and calls nobody for it', async (_, asking) => {
    await openRouter();
    const { body } = await subscribe(quiet, asking);
    expect(body.data ?? null).toBeNull();
    expect(body.errors?.[0]?.extensions.code).toBe('NOT_AUTHENTICATED');
    expect(router.received).toEqual([]);
    expect(watched()).toBe(0);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['a private address', { callbackUrl: 'http://10.0.0.1/callback' }, 'CALLBACK_REFUSED'],
    [
      'the address of machine secrets',
      { callbackUrl: 'http://169.254.169.254/' },
      'CALLBACK_REFUSED',
    ],
    ['a name that leads inside', { callbackUrl: 'http://inside.example/' }, 'CALLBACK_REFUSED'],
    ['a name that leads to them', { callbackUrl: 'http://secrets.example/' }, 'CALLBACK_REFUSED'],
    ['another scheme', { callbackUrl: 'file:///etc/passwd' }, 'CALLBACK_REFUSED'],
    ['credentials in the address', { callbackUrl: 'http://a:b@127.0.0.1/' }, 'CALLBACK_REFUSED'],
    ['no address', { callbackUrl: undefined }, 'BAD_REQUEST'],
    ['a heartbeat of another kind', { heartbeatIntervalMs: 'often' }, 'BAD_REQUEST'],
    ['no id', { subscriptionId: '' }, 'BAD_REQUEST'],
  ])('%s', async (_, target, code) => {
    await openRouter();
    const { status, body } = await subscribe(quiet, { target });
    expect(status).toBe(400);
    expect(body.errors?.map(({ extensions }) => extensions.code)).toEqual([code]);
    expect(router.received).toEqual([]);
    expect(watched()).toBe(0);
  });

  // 200 is what anybody's server says to anything: the protocol has 204 for yes.
  test.each([200, 302, 400])('to watch for who answers its check with %i', async (status) => {
    await openRouter(() => status);
    const answer = await subscribe(quiet);
    expect(answer).toMatchObject({
      status: 400,
      body: { errors: [{ extensions: { code: 'CALLBACK_REFUSED' } }] },
    });
    expect(router.received).toHaveLength(1);
    expect(watched()).toBe(0);
  });
});

describe('keeps out', () => {
  test("another owner's lip-sync, with a typed event", async () => {
    await openRouter();
    await subscribe(quiet, { headers: second });
    await vi.waitFor(() => expect(told('complete')).toHaveLength(1), patient);
    expect(told('next').map(({ payload }) => payload?.data.lipsyncProgress)).toEqual([
      { __typename: 'NotFoundError', code: 'NOT_FOUND' },
    ]);
  });

  test('watching what the router wants no more: a 404 to a heartbeat ends the source, however quiet', async () => {
    await openRouter((message, n) => (message.action === 'check' && n > 3 ? 404 : 204));
    await subscribe(await create('[[never]] Quiet.'), { target: { heartbeatIntervalMs: 200 } });
    await router.until(3);
    await vi.waitFor(() => expect(watched()).toBe(0), { timeout: 5_000, interval: 10 });
    expect(told('complete')).toEqual([]);
  });

  test('events from a router that wants no more: after a 404 to one of them nothing is sent', async () => {
    await openRouter((message) => (message.action === 'next' ? 404 : 204));
    await subscribe(await create('To nobody.'));
    await vi.waitFor(() => expect(watched()).toBe(0), patient);
    await app.finishJobs();
    expect(messages().map(({ action }) => action)).toEqual(['check', 'next']);
  });

  test('a quiet job from a router that is gone for good', async () => {
    await openRouter();
    await subscribe(await create('[[never]] Gone.'), { target: { heartbeatIntervalMs: 200 } });
    await router.until(2);
    expect(watched()).toBe(1);
    router.close();
    await vi.waitFor(() => expect(watched()).toBe(0), patient);
  });

  test('a caller whose time is over: the router is told, and the source ends', async () => {
    await openRouter();
    const token = await new SignJWT({ scope: 'lipsync:read lipsync:write videos:read' })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('visitor')
      .setExpirationTime(new Date(Date.now() + 600_000))
      .sign(new TextEncoder().encode(secret));
    const headers = { authorization: `Bearer ${token}` };
    await subscribe(await create('[[never]] Mine.', headers), { headers });
    await router.until(2);
    clock.aheadMs = 601_000;
    await vi.waitFor(() => expect(told('complete')).toHaveLength(1), patient);
    clock.aheadMs = 0;
    expect(told('complete')[0]?.errors?.[0]?.extensions.code).toBe('NOT_AUTHENTICATED');
    await vi.waitFor(() => expect(watched()).toBe(0), patient);
  });

  test('events that nobody sends any more: who stops says so', async () => {
    await openRouter();
    const mine = app;
    await using other = await startTestApp({
      env: { ...keys.env, WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32' },
    });
    [app, source] = [other, await findSource(other)];
    await subscribe(await create('[[never]] Quiet.'));
    app = mine;
    source = await findSource(app);
    await router.until(2);
    await other.app.close();
    expect(told('complete')[0]?.errors?.[0]?.extensions.code).toBe('SERVER_STOPPING');
  });
});
