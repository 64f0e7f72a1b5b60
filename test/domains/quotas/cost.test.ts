import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startTestApp, type TestApp, type TestAppOptions } from '../../support/app.ts';
import { postgresUrl, testStorage } from '../../support/database.ts';
import { createLipsync } from '../../support/lipsyncs.ts';
import { attempt, execute, type Operation, transports } from '../../support/transports.ts';

type Cost = { requested: number; actual: number; remaining: number | null };
type Answer = { data?: unknown; extensions?: { cost?: Cost }; errors?: object[] };

/** A clock that moves only by `pass`. */
function createClock() {
  let ms = Date.parse('2030-01-01T00:00:00Z');
  return {
    now: () => new Date(ms),
    pass: (seconds: number) => {
      ms += seconds * 1000;
    },
  };
}

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(perMinute: string | null, options: TestAppOptions = {}) {
  const clock = createClock();
  const env = { ...(perMinute === null ? {} : { COST_PER_MINUTE: perMinute }), ...options.env };
  const app = await startTestApp({ now: clock.now, ...options, env });
  closing.push(app.stop);
  return { app, ...clock };
}

async function costOf(app: TestApp, query: string, headers: Record<string, string> = {}) {
  return ((await app.ask(query, {}, headers)) as Answer).extensions?.cost;
}

const viewer = '{ viewer { costPerMinute { limit remaining } } }';

async function remaining(app: TestApp, headers: Record<string, string> = {}) {
  const { data } = await app.ask<{ viewer: { costPerMinute: { remaining: number } } }>(
    viewer,
    {},
    headers,
  );
  return data?.viewer.costPerMinute.remaining;
}

/** Costs 10. */
const costsTen =
  'mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { __typename } }';

describe('works', () => {
  it('reports the requested, the actual and the remaining cost of each operation', async () => {
    const { app } = await open('1000');
    expect(await costOf(app, '{ lipsyncs(first: 50) { nodes { id } } }')).toEqual({
      requested: 51,
      actual: 1,
      remaining: 999,
    });
    expect(await costOf(app, costsTen)).toEqual({ requested: 10, actual: 10, remaining: 989 });
    expect(await costOf(app, '{ __typename }')).toEqual({
      requested: 1,
      actual: 1,
      remaining: 988,
    });
  });

  it('charges a subscription when it is opened and reports its cost with the first event', async () => {
    const { app } = await open('1000');
    const query =
      'subscription { lipsyncProgress(id: "x") { ... on LipsyncProgress { lipsync { id } } } }';
    for await (const { extensions } of app.watchWs(query) as AsyncIterable<Answer>) {
      expect(extensions?.cost).toEqual({ requested: 11, actual: 11, remaining: 989 });
    }
    expect(await remaining(app)).toBe(987);
  });

  it('charges a subscription for each event after the first', async () => {
    const { app } = await open('1000');
    const { id } = await createLipsync(app, { text: '[[never]] Until it is ended.' });
    const before = (await remaining(app)) ?? 0;
    const query = `subscription ($id: ID!) { lipsyncProgress(id: $id) {
      ... on LipsyncProgress { lipsync { progress { percent } } } } }`;
    let events = 0;
    for await (const { data } of app.watchWs(query, { id }) as AsyncIterable<Answer>) {
      expect(data).toMatchObject({ lipsyncProgress: { lipsync: { progress: {} } } });
      events += 1;
      if (events === 1) await app.finishJobs();
    }
    expect(events).toBeGreaterThan(1);
    // The first costs 12 with the weight of the field; each other one has two objects.
    expect(await remaining(app)).toBe(before - 12 - 2 * (events - 1) - 2);
  });

  it('charges a batch of inputs and a list of ids for each entry', async () => {
    const { app } = await open('1000');
    const input = '{ video: { videoId: "x" }, speech: { script: { text: "x" } } }';
    const three = `mutation { createLipsyncs(input: { items: [${Array(3).fill(input).join()}] }) {
      ... on CreateLipsyncsSuccess { results { ... on CreateLipsyncSuccess { lipsync { progress { percent } } } } } } }`;
    // 3 × 10 for the inputs, 9 for the results, lip-syncs and progress. Rejected inputs are not refunded.
    expect(await costOf(app, three)).toEqual({ requested: 39, actual: 39, remaining: 961 });
    const query = `subscription { lipsyncsProgress(ids: ["x", "y", "z"]) {
      ... on LipsyncProgress { lipsync { id } } } }`;
    for await (const { extensions } of app.watchWs(query) as AsyncIterable<Answer>) {
      expect(extensions?.cost).toEqual({ requested: 31, actual: 31, remaining: 930 });
    }
  });

  it('reports the cost without a limit, and no limit in the viewer', async () => {
    const { app } = await open(null);
    expect(await costOf(app, viewer)).toEqual({ requested: 2, actual: 2, remaining: null });
    expect((await app.ask(viewer)).data).toEqual({ viewer: { costPerMinute: null } });
  });

  it('refunds the items that a list does not have, and refills the budget within a minute', async () => {
    const { app, pass } = await open('120');
    await costOf(app, '{ lipsyncs(first: 100) { nodes { id } } }');
    expect(await remaining(app)).toBe(120 - 1 - 2);
    for (const _ of [1, 2, 3, 4, 5, 6]) await costOf(app, costsTen);
    expect(await remaining(app)).toBe(120 - 1 - 2 - 60 - 2);
    pass(15);
    expect(await remaining(app)).toBe(120 - 65 - 2 + 30);
    pass(60);
    expect(await remaining(app)).toBe(120 - 2);
  });

  it('counts each owner separately', async () => {
    const keys = ['ann', 'bob'].map(
      (name) => `${name}:${createHash('sha256').update(name).digest('hex')}:lipsync:write`,
    );
    const { app } = await open('100', { env: { API_KEYS: keys.join(',') } });
    const [ann, bob] = ['ann', 'bob'].map((name) => ({ authorization: `Bearer ${name}` }));
    await costOf(app, costsTen, ann);
    expect(await remaining(app, ann)).toBe(100 - 10 - 2);
    expect(await remaining(app, bob)).toBe(100 - 2);
  });
});

describe('refuses', () => {
  it('operations beyond the budget, with the same error on every transport, until it has refilled', async () => {
    const { app, pass } = await open('100');
    for (const _ of Array(10)) await costOf(app, costsTen);
    const operation = { query: '{ node(id: "x") { id } }' };
    const queryTransports = transports.filter((transport) => transport !== 'multipart form');
    const answers = await Promise.all(
      queryTransports.map(async (transport) => [
        transport,
        await attempt(transport, { url: app.url, operation }),
      ]),
    );
    expect(answers).toEqual(
      queryTransports.map((transport) => [
        transport,
        {
          errors: [
            {
              message: 'The limit of 100 cost per minute is used up.',
              extensions: { code: 'QUOTA_EXCEEDED', retryable: true, retryAfterSeconds: 6 },
            },
          ],
        },
      ]),
    );
    pass(6);
    expect(await costOf(app, '{ node(id: "x") { id } }')).toMatchObject({
      actual: 10,
      remaining: 0,
    });
  });

  it('with 429 and Retry-After if the client accepts application/graphql-response+json', async () => {
    const { app } = await open('10');
    await costOf(app, costsTen);
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
      body: JSON.stringify({ query: costsTen }),
    });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '60']);
  });

  it('an operation above the limit, without Retry-After', async () => {
    const { app } = await open('100');
    const { errors } = await app.ask('{ lipsyncs(first: 100) { nodes { id } } }');
    expect(errors).toMatchObject([
      {
        message: 'This operation costs 101; it may cost at most 100.',
        extensions: { code: 'COST_TOO_HIGH' },
      },
    ]);
    expect(await remaining(app)).toBe(98);
  });

  it('a subscription beyond the budget, without starting it', async () => {
    const { app } = await open('10');
    await costOf(app, costsTen);
    const events = app.watchWs('subscription { lipsyncProgress(id: "x") { __typename } }');
    await expect(events.next()).rejects.toMatchObject([{ extensions: { code: 'QUOTA_EXCEEDED' } }]);
  });

  // A subscription that waits for an event once kept its refund for later, when the budget had long refilled.
  it('a refund of cost that the refill has returned already', async () => {
    const { app, pass } = await open('1000');
    const { id } = await createLipsync(app, { text: '[[never]] [[no-callback]]' });
    const read = `{ lipsync(id: "${id}") { events(first: 100) { nodes { cursor } } } }`;
    type Data = { lipsync: { events: { nodes: { cursor: string }[] } } };
    const { data } = await app.ask<Data>(read);
    const after = data?.lipsync.events.nodes.at(-1)?.cursor;
    pass(60);
    const watching = app.watchWs(
      'subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) { ... on LipsyncProgress { lipsync { events(first: 100) { nodes { cursor } } b: events(first: 100) { nodes { cursor } } c: events(first: 100) { nodes { cursor } } d: events(first: 100) { nodes { cursor } } } } } }',
      { id, after },
    );
    const first = watching.next();
    await vi.waitFor(() => expect(app.app.services.lipsyncs.watchedCount()).toBe(1), {
      timeout: 60_000,
    });
    pass(60);
    for (const _ of Array(90)) await costOf(app, costsTen);
    await app.ask(`mutation { cancelLipsync(input: { id: "${id}" }) { __typename } }`);
    await first;
    expect(await remaining(app)).toBeLessThan(100);
    await watching.return();
  });

  it('concurrent operations beyond the budget', async () => {
    const { app } = await open('100');
    const answers = await Promise.all(Array.from({ length: 25 }, () => app.ask(costsTen)));
    expect(answers.filter(({ errors }) => errors === undefined)).toHaveLength(10);
    expect((await app.app.db.query('select 1 from uploads')).length).toBe(10);
  });
});

describe.runIf(postgresUrl)('with several instances on one PostgreSQL', () => {
  it('shares one budget', async () => {
    const storage = await testStorage();
    closing.push(storage.remove);
    const [one, two] = [await open('100', { storage }), await open('100', { storage })];
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? one : two).app.ask(costsTen)),
    );
    expect(answers.filter(({ errors }) => errors === undefined)).toHaveLength(10);
    one.pass(10);
    two.pass(10);
    await costOf(one.app, '{ node(id: "x") { id } }');
    expect(await costOf(two.app, '{ __typename }')).toMatchObject({ remaining: 5 });
  });
});

/** The owners of the attacks below, one for each transport, so that each has its own budget. */
const attackers = transports.map((transport) => ({
  transport,
  token: `key-of-${transport.replaceAll(' ', '-').toLowerCase()}`,
}));

async function openForAttackers() {
  const keys = attackers.map(
    ({ token }) => `${token}:${createHash('sha256').update(token).digest('hex')}:lipsync:write`,
  );
  return open('2000', { env: { API_KEYS: keys.join(',') } });
}

/** The same operation `times` times, one after the other: how many were executed, and the codes of the others. */
async function repeat(
  app: TestApp,
  attacker: (typeof attackers)[number],
  { operation, times }: { operation: Operation; times: number },
) {
  let executed = 0;
  const rejections: unknown[] = [];
  for (const _ of Array(times)) {
    const { data, errors } = await execute(attacker.transport, {
      url: app.url,
      token: attacker.token,
      operation,
    });
    if (data === null) executed += 1;
    else rejections.push(errors?.[0]?.extensions?.code);
  }
  return { executed, rejections };
}

/** 29 uploads are created; then a field fails because of a variable that became null, and sets `data` to null. Costs 300. */
const failingMutation = {
  query: `mutation ($i: DeleteLipsyncInput = { id: "x" }) {
    ${Array.from({ length: 29 }, (_, n) => `u${n}: createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { __typename }`).join('\n')}
    z: deleteLipsync(input: $i) { __typename } }`,
  variables: { i: null },
};

/** A page of 100 is read; then a field fails because of a variable that became null, and sets `data` to null. Costs 211. */
const failingQuery = {
  query: `query ($ids: [ID!] = []) { a: lipsyncs(first: 100) { nodes { id progress { percent } } }
    z: nodes(ids: $ids) { id } }`,
  variables: { ids: null },
};

describe('keeps out', () => {
  it('executed mutations without a cost, by a last field that sets data to null, on every transport', async () => {
    const { app } = await openForAttackers();
    for (const attacker of attackers.filter(({ transport }) => !transport.endsWith('GET'))) {
      const outcome = await repeat(app, attacker, { operation: failingMutation, times: 8 });
      // Before, nothing was charged: any number of operations was executed.
      expect([attacker.transport, outcome]).toEqual([
        attacker.transport,
        { executed: 6, rejections: ['QUOTA_EXCEEDED', 'QUOTA_EXCEEDED'] },
      ]);
      const rows = await app.app.db.query('select 1 from uploads where owner like $1', [
        `%${attacker.token}`,
      ]);
      expect(rows).toHaveLength(6 * 29);
    }
  });

  it('executed queries without a cost, by a field that sets data to null, on every transport', async () => {
    const { app } = await openForAttackers();
    for (const attacker of attackers) {
      const outcome = await repeat(app, attacker, { operation: failingQuery, times: 11 });
      expect([attacker.transport, outcome]).toEqual([
        attacker.transport,
        { executed: 9, rejections: ['QUOTA_EXCEEDED', 'QUOTA_EXCEEDED'] },
      ]);
    }
  });

  it('a batch of lip-syncs without a cost, by a last field that sets data to null', async () => {
    const { app } = await open('2000');
    const input = '{ video: { videoId: "x" }, speech: { script: { text: "x" } } }';
    const query = `mutation ($i: DeleteLipsyncInput = { id: "x" }) {
      createLipsyncs(input: { items: [${Array(20).fill(input).join()}] }) { __typename }
      deleteLipsync(input: $i) { __typename } }`;
    const { extensions } = (await app.ask(query, { i: null })) as Answer;
    expect(extensions?.cost).toEqual({ requested: 210, actual: 210, remaining: 1790 });
  });

  it('a charge for requests that were rejected before execution', async () => {
    const { app } = await open('100');
    const rejected: [string, Record<string, unknown>][] = [
      ['{', {}],
      ['{ unknown }', {}],
      ['query ($n: Int!) { lipsyncs(first: $n) { nodes { id } } }', { n: 'x' }],
      ['{ lipsyncs(first: 100) { nodes { id } } }', {}],
    ];
    for (const [query, variables] of rejected) {
      expect((await app.ask(query, variables)).data).toBeUndefined();
    }
    expect(await remaining(app)).toBe(98);
  });

  it('owners without recent requests from the table', async () => {
    const { app, now, pass } = await open('100');
    await costOf(app, costsTen);
    await app.app.services.quotas.eraseBefore(now());
    expect(await app.app.db.query('select 1 from query_costs')).toHaveLength(1);
    pass(1);
    await app.app.services.quotas.eraseBefore(now());
    expect(await app.app.db.query('select 1 from query_costs')).toHaveLength(0);
  });
});
