import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { doors, openDoors } from '../../server/hostile/doors.ts';
import { startTestApp, type TestApp, type TestAppOptions } from '../../support/app.ts';
import { postgresUrl, testStorage } from '../../support/database.ts';

type Cost = { requested: number; actual: number; remaining: number | null };
type Answer = { data?: unknown; extensions?: { cost?: Cost }; errors?: object[] };

/** A clock that stands still until it is told. */
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

const tenth =
  'mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { __typename } }';

describe('works', () => {
  it('tells of each operation what was requested, what it came to, and what is left', async () => {
    const { app } = await open('1000');
    expect(await costOf(app, '{ lipsyncs(first: 50) { nodes { id } } }')).toEqual({
      requested: 51,
      actual: 1,
      remaining: 999,
    });
    expect(await costOf(app, tenth)).toEqual({ requested: 10, actual: 10, remaining: 989 });
    expect(await costOf(app, '{ __typename }')).toEqual({
      requested: 1,
      actual: 1,
      remaining: 988,
    });
  });

  it('tells it with the first event of a subscription, which is charged as one', async () => {
    const { app } = await open('1000');
    const query =
      'subscription { lipsyncProgress(id: "x") { ... on LipsyncProgress { lipsync { id } } } }';
    for await (const { extensions } of app.watchWs(query) as AsyncIterable<Answer>) {
      expect(extensions?.cost).toEqual({ requested: 11, actual: 10, remaining: 990 });
    }
    expect(await remaining(app)).toBe(988);
  });

  it('counts a list of inputs, and of ids to watch, as many times as it is long', async () => {
    const { app } = await open('1000');
    const input = '{ video: { id: "x" }, speech: { text: { text: "x" } } }';
    const three = `mutation { createLipsyncs(inputs: [${Array(3).fill(input).join()}]) {
      ... on CreateLipsyncsSuccess { results { ... on CreateLipsyncSuccess { lipsync { progress { percent } } } } } } }`;
    // Ten for each, and for each of three results the lip-sync and its progress: all were refused.
    expect(await costOf(app, three)).toEqual({ requested: 39, actual: 33, remaining: 967 });
    const query = `subscription { lipsyncsProgress(ids: ["x", "y", "z"]) {
      ... on LipsyncProgress { lipsync { id } } } }`;
    for await (const { extensions } of app.watchWs(query) as AsyncIterable<Answer>) {
      expect(extensions?.cost).toEqual({ requested: 31, actual: 30, remaining: 937 });
    }
  });

  it('tells it without a limit too, and the viewer of none', async () => {
    const { app } = await open(null);
    expect(await costOf(app, viewer)).toEqual({ requested: 2, actual: 2, remaining: null });
    expect((await app.ask(viewer)).data).toEqual({ viewer: { costPerMinute: null } });
  });

  it('gives back what was not needed, and within a minute what was spent', async () => {
    const { app, pass } = await open('120');
    await costOf(app, '{ lipsyncs(first: 100) { nodes { id } } }');
    expect(await remaining(app)).toBe(120 - 1 - 2);
    for (const _ of [1, 2, 3, 4, 5, 6]) await costOf(app, tenth);
    expect(await remaining(app)).toBe(120 - 1 - 2 - 60 - 2);
    pass(15);
    expect(await remaining(app)).toBe(120 - 65 - 2 + 30);
    pass(60);
    expect(await remaining(app)).toBe(120 - 2);
  });

  it('is counted for each owner by itself', async () => {
    const keys = ['ann', 'bob'].map(
      (name) => `${name}:${createHash('sha256').update(name).digest('hex')}:lipsync:write`,
    );
    const { app } = await open('100', { env: { API_KEYS: keys.join(',') } });
    const [ann, bob] = ['ann', 'bob'].map((name) => ({ authorization: `Bearer ${name}` }));
    await costOf(app, tenth, ann);
    expect(await remaining(app, ann)).toBe(100 - 10 - 2);
    expect(await remaining(app, bob)).toBe(100 - 2);
  });
});

describe('refuses', () => {
  it('what does not fit any more, in the same words on every door, until it has come back', async () => {
    const { app, pass } = await open('100');
    const at = openDoors(app.url);
    closing.push(at.close);
    for (const _ of Array(10)) await costOf(app, tenth);
    const said = await Promise.all(
      doors.map((door) => at.ask(door, { query: '{ node(id: "x") { id } }' })),
    );
    const answers = said.flat();
    expect(answers.length).toBeGreaterThanOrEqual(doors.length);
    expect(answers).toEqual(
      answers.map(([form]) => [
        form,
        {
          errors: [
            {
              message: 'The limit of 100 cost a minute is used up.',
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

  it('with 429 and Retry-After, to clients that take application/graphql-response+json', async () => {
    const { app } = await open('10');
    await costOf(app, tenth);
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
      body: JSON.stringify({ query: tenth }),
    });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '60']);
  });

  it('what never would fit, without a time to wait for', async () => {
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

  it('a subscription that its owner can not pay for, and does nothing for it', async () => {
    const { app } = await open('10');
    await costOf(app, tenth);
    const events = app.watchWs('subscription { lipsyncProgress(id: "x") { __typename } }');
    await expect(events.next()).rejects.toMatchObject([{ extensions: { code: 'QUOTA_EXCEEDED' } }]);
  });

  it('all but what fits of many that come at once', async () => {
    const { app } = await open('100');
    const answers = await Promise.all(Array.from({ length: 25 }, () => app.ask(tenth)));
    expect(answers.filter(({ errors }) => errors === undefined)).toHaveLength(10);
    expect((await app.app.db.query('select 1 from uploads')).length).toBe(10);
  });
});

describe.runIf(postgresUrl)('with several instances on one PostgreSQL', () => {
  it('is one budget for all', async () => {
    const storage = await testStorage();
    closing.push(storage.remove);
    const [one, two] = [await open('100', { storage }), await open('100', { storage })];
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? one : two).app.ask(tenth)),
    );
    expect(answers.filter(({ errors }) => errors === undefined)).toHaveLength(10);
    one.pass(10);
    two.pass(10);
    await costOf(one.app, '{ node(id: "x") { id } }');
    expect(await costOf(two.app, '{ __typename }')).toMatchObject({ remaining: 5 });
  });
});

describe('keeps out', () => {
  it('from its table, owners who have asked for nothing for long', async () => {
    const { app, now, pass } = await open('100');
    await costOf(app, tenth);
    await app.app.services.quotas.eraseBefore(now());
    expect(await app.app.db.query('select 1 from query_costs')).toHaveLength(1);
    pass(1);
    await app.app.services.quotas.eraseBefore(now());
    expect(await app.app.db.query('select 1 from query_costs')).toHaveLength(0);
  });
});
