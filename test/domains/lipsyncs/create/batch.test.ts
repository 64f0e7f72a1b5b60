import { channel } from 'node:diagnostics_channel';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeId, keyOf } from '../../../../src/graphql/ids.ts';
import {
  apiKeys,
  idOf,
  idsOf,
  type LipsyncApp,
  signInAs,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import {
  type CreateLipsyncResult,
  inputOf,
  longWait,
  withHeaders,
} from '../../../support/lipsyncs.ts';
import { createUpload } from '../../../support/uploads.ts';

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    env: { API_KEYS: apiKeys('ann', 'bob', 'cat'), ALLOW_ANONYMOUS: 'true' },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
beforeEach(() => app.sendFinalCallbacksOnly());
afterEach(async () => {
  vi.restoreAllMocks();
  await app.clearSwitches();
});

const say = (text: string, more: object = {}) => inputOf(video, text, more);

const numbered = (count: number, input: (n: number) => Record<string, unknown>) =>
  Array.from({ length: count }, (_, n) => input(n));

const statusesOf = (made: readonly CreateLipsyncResult[] = []) =>
  made.map(({ lipsync }) => lipsync?.status);

/** Frees all slots for the next test. */
async function endAll(ids: readonly string[], headers = {}): Promise<void> {
  // Waiting ones first, or each would be sent when an earlier one ends.
  for (const id of ids.toReversed()) await app.cancel(id, headers);
  await vi.waitFor(async () => {
    const [account] = Object.values(await app.accounts());
    expect(account?.executing).toBe(0);
  }, longWait);
}

describe('works', () => {
  it('sends as many as there are free slots, in the order of the inputs, and queues the others in that order', async () => {
    const texts = numbered(8, (n) => say(`[[never]] in order ${n}`));
    const { __typename, results = [] } = await app.createAll(texts);
    expect(__typename).toBe('CreateLipsyncsSuccess');
    expect(results.map(({ lipsync }) => lipsync?.text)).toEqual(
      texts.map(({ speech }) => (speech as { script: { text: string } }).script.text),
    );
    expect(statusesOf(results)).toEqual([
      ...Array(3).fill('SUBMITTED'),
      ...Array(5).fill('QUEUED'),
    ]);
    expect(results.map(({ lipsync }) => lipsync?.progress.queuePosition)).toEqual([
      ...[null, null, null],
      ...[1, 2, 3, 4, 5],
    ]);
    expect(results.every(({ replayed }) => replayed === false)).toBe(true);
    const ids = results.map(idOf);
    for (const [n, id] of ids.slice(0, 5).entries()) {
      const next = ids[n + 3] ?? '';
      expect((await app.read(next))?.status).toBe('QUEUED');
      await app.cancel(id);
      await app.waitForStatus(next, ['SUBMITTED', 'GENERATING']);
    }
    await endAll(ids);
  });

  it('answers each as createLipsync would: a rejected input does not affect the others', async () => {
    const upload = encodeId('Upload', '00000000-0000-4000-8000-000000000000');
    // The upstream's rejection comes only after all inputs are placed.
    await app.turn({ delayMs: 300 });
    const answer = await app.createAll([
      say('[[never]] first'),
      say(''),
      say('[[422]] no'),
      { video: { videoId: video }, speech: { uploadId: upload } },
      say('[[cut]] [[never]] lost'),
      say('no room', { whenBusy: 'FAIL' }),
      say('waits'),
    ]);
    const { results = [] } = answer;
    expect(results.map(({ __typename }) => __typename)).toEqual([
      'CreateLipsyncSuccess',
      'InvalidInputError',
      'ContentModeratedError',
      'NotFoundError',
      'OutcomeUnknownError',
      'RateLimitedError',
      'CreateLipsyncSuccess',
    ]);
    expect(results[1]?.issues).toEqual([
      {
        path: ['input', 'speech', 'script', 'text'],
        message: 'The text is empty.',
        code: 'REQUIRED',
      },
    ]);
    expect(results[5]).toMatchObject({ limit: 'ACCOUNT_BUSY', retryable: true });
    expect(results[6]?.lipsync?.status).toBe('QUEUED');
    const made = results.flatMap(({ lipsync }) => lipsync?.id ?? []);
    expect(made).toHaveLength(3);
    await app.turn({ delayMs: null });
    for (const id of made.slice(0, 2)) expect(await app.postsOf(id)).toHaveLength(1);
    // A rejected input leaves nothing, and is rejected in the same way when sent alone.
    expect(await app.create(say(''))).toEqual(results[1]);
    const listed = await app.askForData<{ lipsyncs: { nodes: { id: string; text: string }[] } }>(
      '{ lipsyncs(first: 100) { nodes { id text } } }',
    );
    expect(listed.lipsyncs.nodes.filter(({ text }) => /no room|422/.test(text))).toEqual([]);
    await app.waitForStatus(made[1] ?? '', ['SUBMITTED', 'GENERATING']);
    await endAll(made);
  });

  it('answers a repeated request with the same lip-syncs, in any order of the inputs', async () => {
    const inputs = numbered(6, (n) =>
      say(`[[never]] again ${n}`, { idempotencyKey: `again ${n}` }),
    );
    const first = await app.createAll(inputs);
    const ids = idsOf(first);
    const again = await app.createAll(inputs.toReversed());
    expect(idsOf(again)).toEqual(ids.toReversed());
    expect(again.results?.every(({ replayed }) => replayed === true)).toBe(true);
    // A new input among them is created, and only the changed input is rejected.
    const mixed = await app.createAll([
      ...inputs.slice(0, 1),
      say('[[never]] another text', { idempotencyKey: 'again 1' }),
      say('[[never]] new', { idempotencyKey: 'again new' }),
    ]);
    expect(mixed.results?.map(({ __typename, replayed }) => [__typename, replayed])).toEqual([
      ['CreateLipsyncSuccess', true],
      ['IdempotencyConflictError', undefined],
      ['CreateLipsyncSuccess', false],
    ]);
    expect(await app.create(inputs[3] ?? {})).toMatchObject({
      replayed: true,
      lipsync: { id: ids[3] },
    });
    await endAll([...ids, idOf(mixed.results?.[2] as CreateLipsyncResult)]);
  });

  it('creates each once if the same request comes five times at once', async () => {
    await app.turn({ delayMs: 100 });
    const inputs = numbered(5, (n) =>
      say(`[[never]] twins ${n}`, { idempotencyKey: `twins ${n}` }),
    );
    const alone = inputs.map((input) => app.create(input));
    const all = await Promise.all(Array.from({ length: 5 }, () => app.createAll(inputs)));
    const [ids = []] = all.map(idsOf);
    for (const each of all) expect(idsOf(each)).toEqual(ids);
    expect((await Promise.all(alone)).map(idOf)).toEqual(ids);
    const fresh = [...all.flatMap(({ results = [] }) => results), ...(await Promise.all(alone))];
    expect(fresh.filter(({ replayed }) => replayed === false)).toHaveLength(5);
    await app.turn({ delayMs: null });
    // Their order is not defined: single requests may overtake.
    const posts = await Promise.all(ids.map((id) => app.postsOf(id)));
    expect(posts.map(({ length }) => length).toSorted()).toEqual([0, 0, 1, 1, 1]);
    await endAll(ids);
  });

  it('does not delay other owners: a single request after a batch of thirty is next', async () => {
    const thirty = numbered(30, (n) => say(`[[never]] many ${n}`));
    const ids = idsOf(await app.createAll(thirty, signInAs('ann')));
    expect(new Set(ids).size).toBe(30);
    const one = await app.create(say('[[never]] one'), signInAs('bob'));
    expect(one.lipsync).toMatchObject({ status: 'QUEUED', progress: { queuePosition: 1 } });
    await app.cancel(ids[0] ?? '', signInAs('ann'));
    await app.waitForStatus(idOf(one), ['SUBMITTED', 'GENERATING'], signInAs('bob'));
    await app.cancel(idOf(one), signInAs('bob'));
    await endAll(ids, signInAs('ann'));
  });

  it('has at most 24 POSTs under way at a time', async () => {
    const underWay = new Set<string>();
    const idIn = (message: unknown) => (message as { lipsyncId: string }).lipsyncId;
    const begin = (message: unknown) => underWay.add(idIn(message));
    const end = (message: unknown) => underWay.delete(idIn(message));
    channel('lipsync:post-started').subscribe(begin);
    channel('lipsync:answer-read').subscribe(end);
    await app.turn({ delayMs: 8_000, outcome: 'FAILED' });
    // Off-peak jobs take no slot, so all of them can be sent.
    const calm = numbered(60, (n) => say(`calm ${n}`, { offPeak: true }));
    const all = app.createAll(calm, signInAs('cat'));
    await vi.waitFor(() => expect(underWay.size).toBe(24), longWait);
    const written = await app.db.query("select 1 from lipsyncs where text like 'calm %'");
    expect(written).toHaveLength(24);
    await app.turn({ delayMs: null });
    expect(idsOf(await all)).toHaveLength(60);
    channel('lipsync:post-started').unsubscribe(begin);
    channel('lipsync:answer-read').unsubscribe(end);
    await vi.waitFor(async () => {
      const open = "select 1 from lipsyncs where text like 'calm %' and finished_at is null";
      expect(await app.db.query(open)).toEqual([]);
    }, longWait);
  });

  it('checks at most eight inputs at a time upstream', async () => {
    const underWay = new Set<object>();
    let most = 0;
    const begin = (message: unknown) => {
      const { request } = message as { request: { path: string } };
      if (!request.path.includes('/videos/user:')) return;
      underWay.add(request);
      most = Math.max(most, underWay.size);
    };
    const end = (message: unknown) => underWay.delete((message as { request: object }).request);
    channel('undici:request:create').subscribe(begin);
    channel('undici:request:headers').subscribe(end);
    // The key may contain hyphens itself.
    const prefix = keyOf('Video', video)?.replace(/-\d+$/, '');
    await app.turn({ delayMs: 50 });
    const { results = [] } = await app.createAll(
      numbered(30, (n) => ({
        ...say('Nobody there'),
        video: { videoId: encodeId('Video', `${prefix}-${9_000 + n}`) },
      })),
    );
    channel('undici:request:create').unsubscribe(begin);
    channel('undici:request:headers').unsubscribe(end);
    expect(results.map(({ __typename }) => __typename)).toEqual(Array(30).fill('NotFoundError'));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('continues when the caller disconnects', async () => {
    await app.turn({ delayMs: 1_000 });
    const inputs = numbered(12, (n) => say(`[[never]] left ${n}`, { idempotencyKey: `left ${n}` }));
    const leaving = new AbortController();
    const asked = fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query:
          'mutation ($of: [CreateLipsyncInput!]!) { createLipsyncs(input: { items: $of }) { __typename } }',
        variables: { of: inputs },
      }),
      signal: leaving.signal,
    });
    const gone = expect(asked).rejects.toThrow('aborted');
    const count = async () => {
      const rows = await app.db.query("select 1 from lipsyncs where idempotency_key like 'left %'");
      return rows.length;
    };
    await vi.waitFor(async () => expect(await count()).toBeGreaterThan(0), longWait);
    leaving.abort();
    await gone;
    await vi.waitFor(async () => expect(await count()).toBe(12), longWait);
    await app.turn({ delayMs: null });
    const again = await app.createAll(inputs);
    expect(again.results?.every(({ replayed }) => replayed === true)).toBe(true);
    await endAll(idsOf(again));
  });

  it('loses nothing by an unexpected error in the middle: repeating the request completes it', async () => {
    const { db } = app.app;
    const transaction = db.transaction.bind(db);
    // Of up to 24 inputs each.
    let left = 2;
    vi.spyOn(db, 'transaction').mockImplementation((work) =>
      transaction((tx) =>
        work({
          ...tx,
          query: async (text, params) => {
            const isInsert = text.includes('insert into lipsyncs');
            if (isInsert && --left === 0) throw new Error('The database went away.');
            return tx.query(text, params);
          },
        }),
      ),
    );
    const inputs = numbered(30, (n) =>
      say(`[[never]] whole ${n}`, { idempotencyKey: `whole ${n}` }),
    );
    const { data, errors } = await app.ask(
      'mutation ($of: [CreateLipsyncInput!]!) { createLipsyncs(input: { items: $of }) { __typename } }',
      { of: inputs },
    );
    expect(data).toBeNull();
    expect(errors).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }]);
    vi.restoreAllMocks();
    const again = await app.createAll(inputs);
    const replayed = again.results?.map((each) => each.replayed) ?? [];
    expect(replayed.filter((each) => each)).not.toHaveLength(0);
    expect(replayed).toEqual(replayed.toSorted((a, b) => Number(b) - Number(a)));
    expect(new Set(idsOf(again)).size).toBe(30);
    const jobs = await app.jobs();
    for (const id of idsOf(again)) {
      const own = jobs.filter(({ replyRef }) => replyRef === keyOf('Lipsync', id));
      expect(own.length).toBeLessThanOrEqual(1);
    }
    await endAll(idsOf(again));
  });
});

describe('refuses', () => {
  const refused = async (inputs: Record<string, unknown>[]) => {
    const before = [(await app.posts()).length, await countRows()];
    const answer = await app.createAll(inputs);
    expect([(await app.posts()).length, await countRows()]).toEqual(before);
    expect(answer).toMatchObject({ __typename: 'InvalidInputError', code: 'INVALID_INPUT' });
    return answer.issues;
  };
  const countRows = async () => (await app.db.query('select 1 from lipsyncs')).length;

  it('an empty list, and one of more than a hundred', async () => {
    const message = 'items must have 1 to 100 lip-syncs.';
    expect(await refused([])).toEqual([{ path: ['input', 'items'], message }]);
    expect(await refused(numbered(101, (n) => say(`${n}`)))).toEqual([
      { path: ['input', 'items'], message },
    ]);
  });

  it('a list with the same key twice, also with equal inputs, and creates none of it', async () => {
    const keyed = (key: string | null) => say('Hello', { idempotencyKey: key });
    const message = (first: number) => `items[${first}] has the same idempotencyKey.`;
    const issues = await refused(['a', 'b', null, 'a', null, 'b', 'a'].map(keyed));
    expect(issues).toEqual([
      { path: ['input', 'items', '3', 'idempotencyKey'], message: message(0) },
      { path: ['input', 'items', '5', 'idempotencyKey'], message: message(1) },
      { path: ['input', 'items', '6', 'idempotencyKey'], message: message(0) },
    ]);
  });

  it('exactly the inputs over a limit, counted in their order', async () => {
    const limited = await startLipsyncApp({ env: { LIPSYNCS_IN_FLIGHT: '5' } });
    try {
      const [id = ''] = await limited.listVideoIds();
      const inputs = numbered(8, (n) => ({
        video: { videoId: id },
        speech: { script: { text: `[[never]] ${n}` } },
        idempotencyKey: `${n}`,
      }));
      const first = await limited.createAll(inputs);
      expect(first.results?.map(({ __typename }) => __typename)).toEqual([
        ...Array(5).fill('CreateLipsyncSuccess'),
        ...Array(3).fill('QuotaExceededError'),
      ]);
      // Repeated: existing lip-syncs are returned although the limit is used up; the others are rejected again.
      const again = await limited.createAll(inputs);
      expect(again.results?.map(({ __typename, replayed }) => replayed ?? __typename)).toEqual([
        ...Array(5).fill(true),
        ...Array(3).fill('QuotaExceededError'),
      ]);
      for (const id of first.results?.slice(0, 5).map(idOf).toReversed() ?? []) {
        await limited.cancel(id);
      }
      const [left, right] = await Promise.all(
        ['left', 'right'].map((side) =>
          limited.createAll(
            inputs.map((each) => ({ ...each, idempotencyKey: null, reference: side })),
          ),
        ),
      );
      const made = [...(left?.results ?? []), ...(right?.results ?? [])];
      expect(made.filter(({ lipsync }) => lipsync !== undefined)).toHaveLength(5);
    } finally {
      await limited.stop();
    }
  });
});

describe('keeps out', () => {
  it("another owner's videos and uploads: that input is rejected as if they did not exist, the others are created", async () => {
    const foreign = idOf(await app.create(say('Mine'), signInAs('ann')));
    await app.waitForEnd(foreign, signInAs('ann'));
    const upload = await createUpload(withHeaders(app, signInAs('ann')), { kind: 'VIDEO' });
    const { results = [] } = await app.createAll(
      [
        { video: { uploadId: upload.id }, speech: { script: { text: 'Yours' } } },
        say('[[never]] own'),
      ],
      signInAs('bob'),
    );
    expect(results).toMatchObject([
      { __typename: 'NotFoundError' },
      { __typename: 'CreateLipsyncSuccess' },
    ]);
    const own = idOf(results[1] as CreateLipsyncResult);
    expect(await app.read(own, signInAs('ann'))).toBeNull();
    await app.cancel(own, signInAs('bob'));
  });
});
