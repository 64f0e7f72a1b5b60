import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp, type TestAppOptions } from '../../support/app.ts';
import { postgresUrl, testStorage } from '../../support/database.ts';
import { attempt, transports } from '../../support/transports.ts';

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

  it('charges a subscription once and reports its cost with the first event', async () => {
    const { app } = await open('1000');
    const query =
      'subscription { lipsyncProgress(id: "x") { ... on LipsyncProgress { lipsync { id } } } }';
    for await (const { extensions } of app.watchWs(query) as AsyncIterable<Answer>) {
      expect(extensions?.cost).toEqual({ requested: 11, actual: 10, remaining: 990 });
    }
    expect(await remaining(app)).toBe(988);
  });

  it('charges a batch of inputs and a list of ids for each entry', async () => {
    const { app } = await open('1000');
    const input = '{ video: { id: "x" }, speech: { text: { text: "x" } } }';
    const three = `mutation { createLipsyncs(inputs: [${Array(3).fill(input).join()}]) {
      ... on CreateLipsyncsSuccess { results { ... on CreateLipsyncSuccess { lipsync { progress { percent } } } } } } }`;
    // 3 × 10 for the inputs, 9 for the results, lip-syncs and progress. The actual cost is lower: every input was refused.
    expect(await costOf(app, three)).toEqual({ requested: 39, actual: 33, remaining: 967 });
    const query = `subscription { lipsyncsProgress(ids: ["x", "y", "z"]) {
      ... on LipsyncProgress { lipsync { id } } } }`;
    for await (const { extensions } of app.watchWs(query) as AsyncIterable<Answer>) {
      expect(extensions?.cost).toEqual({ requested: 31, actual: 30, remaining: 937 });
    }
  });

  it('reports the cost without a limit, and no limit in the viewer', async () => {
    const { app } = await open(null);
    expect(await costOf(app, viewer)).toEqual({ requested: 2, actual: 2, remaining: null });
    expect((await app.ask(viewer)).data).toEqual({ viewer: { costPerMinute: null } });
  });

  it('refunds the unused cost of an operation, and refills the budget within a minute', async () => {
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

describe('keeps out', () => {
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
