import { Resolver } from 'node:dns/promises';
import type { ServerResponse } from 'node:http';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openReceiver, type Receiver } from '../../domains/webhooks/webhook-receiver.ts';
import { createApiKeys } from '../../support/api-keys.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { createLipsync, readVideoIds, withHeaders } from '../../support/lipsyncs.ts';

/** Of the DNS servers that know them. */
const names: Record<string, string> = {
  'router.example': '127.0.0.1',
  'inside.example': '10.0.0.1',
  'secrets.example': '169.254.169.254',
};
beforeAll(() => {
  vi.spyOn(Resolver.prototype, 'resolve4').mockImplementation(async (name) => [names[name] ?? '']);
  vi.spyOn(Resolver.prototype, 'resolve6').mockRejectedValue(new Error('ENODATA'));
});
afterAll(() => vi.restoreAllMocks());

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
const patient = { timeout: 60_000, interval: 10 };
const secret = 'a secret of no less than 32 bytes';
const clock = { aheadMs: 0 };
const checksPerOwner = 32;

let app: TestApp;
let source: string;
/** A lip-sync of `first` without events. */
let quiet: string;
let router: Receiver;

beforeAll(async () => {
  app = await startTestApp({
    // No polls: a lip-sync without callbacks has no events.
    env: {
      ...keys.env,
      AUTH_JWT_SECRET: secret,
      POLL_INTERVAL_MS: '600000',
      OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1/32',
    },
    maxRouterChecks: 2 * checksPerOwner,
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
    now: () => new Date(Date.now() + clock.aheadMs),
  });
  [source = ''] = await readVideoIds(withHeaders(app, first));
  quiet = await create('[[never]] Quiet.');
});
afterAll(() => app.stop());
afterEach(() => router.close());

async function create(text: string, headers: Record<string, string> = first): Promise<string> {
  return (await createLipsync(withHeaders(app, headers), { video: { videoId: source }, text })).id;
}

const subscribedCount = () => app.app.services.lipsyncs.watchedCount();

const progress = `subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) {
  __typename ... on LipsyncProgress { sequence status } ... on LipsyncError { code } } }`;

/** Of several lip-syncs, under the same response key. */
const listProgress = `subscription ($id: ID!, $other: ID!, $after: String) {
  lipsyncProgress: lipsyncsProgress(ids: [$id, $other], after: $after) {
    __typename ... on LipsyncProgress { cursor sequence status lipsync { id } }
    ... on LipsyncError { code } } }`;

type Options = {
  query?: string;
  variables?: Record<string, unknown>;
  headers?: Record<string, string>;
  /** Overrides of `extensions.subscription`. */
  target?: Record<string, unknown>;
};

/** Subscribes as Apollo Router and Hive Gateway do. */
async function subscribe(
  id: string,
  { query = progress, variables = {}, headers = first, target = {} }: Options = {},
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
const sent = (action: Message['action']) => messages().filter((each) => each.action === action);

/** Opens a router that answers each message with this status. Default: 204. */
async function openRouter(statusOf: (message: Message, n: number) => number = () => 204) {
  router = await openReceiver((response: ServerResponse, n) => {
    response.writeHead(statusOf(messages()[n - 1] as Message, n)).end();
  });
}

describe('works', () => {
  test('sends a check to the router first, and then every event to the end', async () => {
    await openRouter();
    const answer = await subscribe(await create('To the end.'));
    expect(answer).toMatchObject({ status: 200, body: { data: null } });
    expect(answer.headers.get('subscription-protocol')).toBe('callback/1.0');
    await vi.waitFor(() => expect(sent('complete')).toHaveLength(1), patient);
    const all = messages();
    expect(all[0]).toEqual({
      kind: 'subscription',
      action: 'check',
      id: 'c4a9d1b8',
      verifier: 'XXX',
    });
    expect(all.at(-1)).toEqual({ ...all[0], action: 'complete' });
    const events = sent('next').map(({ payload }) => payload?.data.lipsyncProgress);
    expect(all.slice(1, -1)).toHaveLength(events.length);
    expect(events.map((event) => event?.sequence)).toEqual(
      events.map((_, at) => (events[0]?.sequence ?? 0) + at),
    );
    expect(events.at(-1)?.status).toBe('COMPLETED');
    // By these the router recognizes the subscription and verifies the sender.
    const { kind, id, verifier } = all[0] as Message;
    for (const each of all) expect(each).toMatchObject({ kind, id, verifier });
    for (const { method, headers } of router.received) {
      expect(method).toBe('POST');
      // Hive Gateway compares the whole header.
      expect(headers['content-type']).toBe('application/json');
      expect(headers['subscription-protocol']).toBe('callback/1.0');
    }
    expect(subscribedCount()).toBe(0);
  });

  test('sends several lip-syncs in one subscription, ends on 404, and resumes from a cursor', async () => {
    const [one, other] = [await create('[[never]] one.'), await create('[[never]] other.')];
    const options = { query: listProgress, variables: { other } };
    let maxAccepted = Number.POSITIVE_INFINITY;
    await openRouter((message) =>
      message.payload === undefined || sent('next').length <= maxAccepted ? 204 : 404,
    );
    await subscribe(one, options);
    await vi.waitFor(() => expect(sent('next').length).toBeGreaterThanOrEqual(2), patient);
    expect(subscribedCount()).toBe(2);
    maxAccepted = sent('next').length;
    await app.finishJobs('FAILED');
    await vi.waitFor(() => expect(subscribedCount()).toBe(0), patient);
    type Update = { cursor: string; sequence: number; status: string; lipsync: { id: string } };
    const updates = () =>
      sent('next').map(({ payload }) => payload?.data.lipsyncProgress as unknown as Update);
    // The next one was rejected with 404.
    const accepted = updates().slice(0, maxAccepted);
    router.close();

    await openRouter();
    const variables = { other: one, after: accepted.at(-1)?.cursor };
    await subscribe(other, { query: listProgress, variables });
    await vi.waitFor(() => expect(sent('complete')).toHaveLength(1), patient);
    for (const id of [one, other]) {
      const sequences = [...accepted, ...updates()].flatMap(({ lipsync, sequence }) =>
        lipsync.id === id ? sequence : [],
      );
      expect(sequences).toEqual(sequences.map((_, at) => (sequences[0] ?? 0) + at));
      expect(updates().findLast(({ lipsync }) => lipsync.id === id)?.status).toBe('FAILED');
    }
    expect(subscribedCount()).toBe(0);
  });

  test('sends heartbeats while a job has no events, and none with an interval of 0', async () => {
    await openRouter();
    const id = await create('[[never]] Quiet.');
    await subscribe(id, { target: { subscriptionId: 'without' } });
    await subscribe(id, { target: { subscriptionId: 'with', heartbeatIntervalMs: 1_000 } });
    const checksOf = (name: string) => sent('check').filter((each) => each.id === name);
    await vi.waitFor(() => expect(checksOf('with').length).toBeGreaterThan(3), patient);
    expect(checksOf('without')).toHaveLength(1);
    await app.finishJobs();
    await vi.waitFor(() => expect(sent('complete')).toHaveLength(2), patient);
  });

  test('sends a heartbeat within five seconds, also if the router asks for a longer interval', async () => {
    await openRouter();
    const id = await create('[[never]] Rare.');
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      // The default of Hive Gateway.
      await subscribe(id, { target: { heartbeatIntervalMs: 50_000 } });
      await router.until(2);
      expect(sent('check')).toHaveLength(1);
      vi.advanceTimersByTime(4_000);
      await vi.waitFor(() => expect(sent('check')).toHaveLength(2), patient);
      router.close();
      vi.advanceTimersByTime(4_000);
    } finally {
      vi.useRealTimers();
    }
    await vi.waitFor(() => expect(subscribedCount()).toBe(0), patient);
  });

  test('resolves the host name of a router', async () => {
    await openRouter();
    const callbackUrl = router.url.replace('127.0.0.1', 'router.example');
    const target = { callbackUrl, heartbeatIntervalMs: 1_000 };
    expect((await subscribe(quiet, { target })).status).toBe(200);
    expect(router.received.at(0)?.headers.host).toMatch(/^router\.example:/);
    router.close();
    await vi.waitFor(() => expect(subscribedCount()).toBe(0), patient);
  });

  test('retries messages that a router answers with 503, so that none is lost', async () => {
    const failed = new Set<string>();
    await openRouter((message) => {
      const name = `${message.action} ${message.payload?.data.lipsyncProgress.sequence}`;
      const isFirst = !failed.has(name);
      failed.add(name);
      return isFirst && message.action !== 'check' ? 503 : 204;
    });
    await subscribe(await create('Again.'));
    await vi.waitFor(() => expect(sent('complete')).toHaveLength(2), patient);
    const sequences = sent('next').map(({ payload }) => payload?.data.lipsyncProgress.sequence);
    expect(sequences.filter((_, at) => at % 2 === 0)).toEqual(
      sequences.filter((_, at) => at % 2 === 1),
    );
  });

  test('retries the first check after 404: the router can still be storing the subscription', async () => {
    await openRouter((_, n) => (n === 1 ? 404 : 204));
    const { status } = await subscribe(await create('[[never]] Late.'));
    expect(status).toBe(200);
    expect(sent('check')).toHaveLength(2);
    await app.finishJobs();
    await vi.waitFor(() => expect(sent('complete')).toHaveLength(1), patient);
  });

  test('executes a query with extensions.subscription as usual', async () => {
    await openRouter();
    const query = '{ viewer { name } }';
    expect((await subscribe('', { query })).body.data).toEqual({ viewer: { name: 'first' } });
    expect(router.received).toEqual([]);
  });
});

describe('refuses', () => {
  test.each<[string, Options]>([
    ['a caller without a token', { headers: {} }],
    ['an invalid token', { headers: { authorization: 'Bearer nonsense' } }],
  ])('%s, without a request to the callbackUrl', async (_, options) => {
    await openRouter();
    const { body } = await subscribe(quiet, options);
    expect(body.data ?? null).toBeNull();
    expect(body.errors?.[0]?.extensions.code).toBe('NOT_AUTHENTICATED');
    expect(router.received).toEqual([]);
    expect(subscribedCount()).toBe(0);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['a private address', { callbackUrl: 'http://10.0.0.1/callback' }, 'CALLBACK_REFUSED'],
    [
      'the metadata address of cloud machines',
      { callbackUrl: 'http://169.254.169.254/' },
      'CALLBACK_REFUSED',
    ],
    ['a name of a private address', { callbackUrl: 'http://inside.example/' }, 'CALLBACK_REFUSED'],
    ['a name of that address', { callbackUrl: 'http://secrets.example/' }, 'CALLBACK_REFUSED'],
    ['another scheme', { callbackUrl: 'file:///etc/passwd' }, 'CALLBACK_REFUSED'],
    ['credentials in the address', { callbackUrl: 'http://a:b@127.0.0.1/' }, 'CALLBACK_REFUSED'],
    ['no address', { callbackUrl: undefined }, 'BAD_REQUEST'],
    ['a heartbeat that is not a number', { heartbeatIntervalMs: 'often' }, 'BAD_REQUEST'],
    // Each costs this server a request.
    ['more than a heartbeat a second', { heartbeatIntervalMs: 999 }, 'BAD_REQUEST'],
    ['no id', { subscriptionId: '' }, 'BAD_REQUEST'],
  ])('%s', async (_, target, code) => {
    await openRouter();
    const { status, body } = await subscribe(quiet, { target });
    expect(status).toBe(400);
    expect(body.errors?.map(({ extensions }) => extensions.code)).toEqual([code]);
    expect(router.received).toEqual([]);
    expect(subscribedCount()).toBe(0);
  });

  // The protocol's answer is 204. An unrelated server answers 200 to anything.
  test.each([200, 302, 400])('a router that answers the check with %i', async (status) => {
    await openRouter(() => status);
    const answer = await subscribe(quiet);
    expect(answer).toMatchObject({
      status: 400,
      body: { errors: [{ extensions: { code: 'CALLBACK_REFUSED' } }] },
    });
    expect(router.received).toHaveLength(1);
    expect(subscribedCount()).toBe(0);
  });
});

describe('keeps out', () => {
  test('an owner with many routers that do not answer: another owner still subscribes', async () => {
    router = await openReceiver((response, _, path) => {
      if (path.startsWith('/ok')) response.writeHead(204).end();
    });
    const held = Array.from({ length: checksPerOwner }, () => subscribe(quiet));
    await vi.waitFor(() => expect(router.received).toHaveLength(checksPerOwner), patient);
    const { status, body } = await subscribe(quiet);
    expect([status, body.errors?.[0]?.extensions.code]).toEqual([429, 'QUOTA_EXCEEDED']);
    const callbackUrl = `http://127.0.0.1:${router.port}/ok`;
    const other = await subscribe(quiet, { headers: second, target: { callbackUrl } });
    expect(other).toMatchObject({ status: 200, body: { data: null } });
    router.close();
    await Promise.allSettled(held);
    await vi.waitFor(() => expect(subscribedCount()).toBe(0), patient);
  });

  test("another owner's lip-sync, with a typed event", async () => {
    await openRouter();
    await subscribe(quiet, { headers: second });
    await vi.waitFor(() => expect(sent('complete')).toHaveLength(1), patient);
    expect(sent('next').map(({ payload }) => payload?.data.lipsyncProgress)).toEqual([
      { __typename: 'NotFoundError', code: 'NOT_FOUND' },
    ]);
  });

  test('subscriptions that the router has ended: a 404 to a heartbeat ends the source of a quiet job', async () => {
    await openRouter((message, n) => (message.action === 'check' && n > 3 ? 404 : 204));
    await subscribe(await create('[[never]] Quiet.'), { target: { heartbeatIntervalMs: 1_000 } });
    await router.until(3);
    await vi.waitFor(() => expect(subscribedCount()).toBe(0), { timeout: 60_000, interval: 10 });
    expect(sent('complete')).toEqual([]);
  });

  test('events after the router has ended the subscription with 404', async () => {
    await openRouter((message) => (message.action === 'next' ? 404 : 204));
    await subscribe(await create('Ended.'));
    await vi.waitFor(() => expect(subscribedCount()).toBe(0), patient);
    await app.finishJobs();
    expect(messages().map(({ action }) => action)).toEqual(['check', 'next']);
  });

  test('a quiet subscription after its router has stopped', async () => {
    await openRouter();
    await subscribe(await create('[[never]] Gone.'), { target: { heartbeatIntervalMs: 1_000 } });
    await router.until(2);
    expect(subscribedCount()).toBe(1);
    router.close();
    await vi.waitFor(() => expect(subscribedCount()).toBe(0), patient);
  });

  test('a caller with an expired token: the router gets an error, and the source ends', async () => {
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
    await vi.waitFor(() => expect(sent('complete')).toHaveLength(1), patient);
    clock.aheadMs = 0;
    expect(sent('complete')[0]?.errors?.[0]?.extensions.code).toBe('NOT_AUTHENTICATED');
    await vi.waitFor(() => expect(subscribedCount()).toBe(0), patient);
  });

  test('subscriptions without an end when the server stops: the router gets an error', async () => {
    await openRouter();
    const original = app;
    await using other = await startTestApp({
      env: { ...keys.env, OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1/32' },
    });
    app = other;
    [source = ''] = await readVideoIds(withHeaders(app, first));
    await subscribe(await create('[[never]] Quiet.'));
    app = original;
    [source = ''] = await readVideoIds(withHeaders(app, first));
    await router.until(2);
    await other.app.close();
    expect(sent('complete')[0]?.errors?.[0]?.extensions.code).toBe('SERVER_STOPPING');
  });
});
