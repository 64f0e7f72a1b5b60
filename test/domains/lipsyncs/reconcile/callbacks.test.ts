import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../../src/graphql/ids.ts';
import { expectSoundLog, idOf, openStage, patient, type Stage } from '../stage.ts';

let stage: Stage;
let video: string;
beforeAll(async () => {
  // Only callbacks lead to quick reads; polls are rare.
  stage = await openStage({
    env: { POLL_INTERVAL_MS: '1200', UPSTREAM_TIMEOUT_MS: '5000' },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
  });
  [video = ''] = await stage.sources();
});
afterAll(() => stage.stop());
beforeEach(async () => {
  await stage.clearSwitches();
  await stage.forgetRequests();
});

const say = async (text: string) =>
  idOf(await stage.create({ video: { id: video }, speech: { text: { text } } }));

async function post(url: string, body: unknown): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

const urlOf = async (id: string) => (await stage.jobOf(id))?.replyUrl ?? '';
const reads = () => stage.requests('GET /videos/');

async function rowOf(id: string) {
  const [row] = await stage.test.app.db.query('select * from lipsyncs where id = $1', [
    keyOf('Lipsync', id),
  ]);
  return row;
}

/** Replaces one character by another character that a token may contain. */
const flip = (token: string, at: number) =>
  `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;

/** A poll may add events meanwhile; nothing else may. */
const countRows = () =>
  stage.test.app.db.query(
    `select (select count(*)::int from lipsyncs) as lipsyncs,
       (select count(*)::int from lipsync_events where source <> 'POLL') as events`,
  );

describe('works', () => {
  it.each(['[[no-callback]]', '[[doubled]]', '[[reordered]]', '[[early]]', '[[forged]]'])(
    'leads to the same log with %s',
    async (phrase) => {
      for (const [outcome, code] of [
        ['', undefined],
        ['[[moderated]]', 'CONTENT_MODERATED'],
      ] as const) {
        const id = await say(`${phrase} ${outcome} story`);
        const ended = await stage.end(id);
        expect(ended.status).toBe(code === undefined ? 'COMPLETED' : 'MODERATED');
        expect(ended.failure?.code).toBe(code);
        if (code === undefined) expect(ended.result?.url).toMatch(stage.test.sandbox.origin);
        const events = await stage.events(id);
        expectSoundLog(events);
        expect(events.filter(({ status }) => status === 'SUBMITTED')).toHaveLength(1);
        expect(await stage.postsOf(id)).toHaveLength(1);
      }
    },
  );

  it('believes the upstream and not the body', async () => {
    await stage.test.turn({ callbacks: 'none' });
    const id = await say('[[never]] lies');
    const url = await urlOf(id);
    const lie = { video_status_name: 'COMPLETED', video_status_final: true, url: 'http://evil/x' };
    const own = (await stage.jobOf(id))?.video_id;
    const bodies = [
      { ...lie, video_id: own },
      { ...lie, video_id: 'user:1-pixverse:x@y.example-video:1' },
      { ...lie, video_id: 'a\0b' },
      { ...lie, replyRef: 'somebody else', video_id: 12 },
      { video_id: { deep: [] } },
      'invalid JSON',
      '',
      'x'.repeat(300_000),
    ];
    for (const body of bodies) expect(await post(url, body)).toBe(200);
    await stage.reach(id, 'GENERATING');
    expect(await stage.find(id)).toMatchObject({ result: null, failure: null, finishedAt: null });
    await stage.finish(id);
    expect(await post(url, { ...lie, video_status_name: 'FAILED' })).toBe(200);
    const ended = await stage.end(id);
    expect(ended.status).toBe('COMPLETED');
    expect(ended.result?.url).toMatch(stage.test.sandbox.origin);
    expectSoundLog(await stage.events(id));
  });

  // The database rejects it, and the callback once had no effect.
  it('reads the upstream also if the body contains U+0000', async () => {
    await stage.test.turn({ callbacks: 'none', cutNext: 1, replyRefInScheduler: false });
    const made = await stage.create({ video: { id: video }, speech: { text: { text: 'zero' } } });
    const before = (await reads()).length;
    expect(await post(await urlOf(idOf(made)), '{"video_id":"a\\u0000b"}')).toBe(200);
    await vi.waitFor(async () => expect((await reads()).length).toBeGreaterThan(before), patient);
    expect(stage.test.logs.filter(({ msg }) => msg === 'a callback could not be handled')).toEqual(
      [],
    );
    await stage.cancel(idOf(made));
  });

  it('answers at once, also while the read that follows hangs', async () => {
    await stage.test.turn({ callbacks: 'none' });
    const id = await say('[[never]] at once');
    const url = await urlOf(id);
    const hang = { method: 'GET', action: 'hang', times: 1_000 };
    await stage.test.turn({
      failPath: [
        { path: '/videos', ...hang },
        { path: '/videos/*', ...hang },
      ],
    });
    for (let n = 0; n < 5; n += 1) expect(await post(url, {})).toBe(200);
    await vi.waitFor(async () => {
      expect((await reads()).map(({ status }) => status)).toContain('hang');
    }, patient);
    const release = await stage.holdLipsyncs();
    expect(await post(url, {})).toBe(200);
    await release();
    await stage.test.turn({ failPath: null });
    await stage.cancel(id);
  });

  it('joins a burst of fifty to one read at once and one more', async () => {
    await stage.test.turn({ callbacks: 'none', queuedMs: 60_000 });
    const id = await say('burst');
    const url = await urlOf(id);
    const before = (await reads()).length;
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 50 }, () => post(url, {})));
    await vi.waitFor(
      async () => expect((await reads()).length - before).toBeGreaterThanOrEqual(2),
      patient,
    );
    // One at once and one per second since; polls come in between.
    const seconds = (performance.now() - startedAt) / 1_000;
    expect((await reads()).length - before).toBeLessThanOrEqual(3 + 2 * seconds);
    await stage.cancel(id);
  });

  it('answers 200 for a finished or erased lip-sync, and changes nothing', async () => {
    const id = await say('[[no-callback]] over');
    const url = await urlOf(id);
    await stage.end(id);
    const row = await rowOf(id);
    expect(await post(url, { video_status_name: 'FAILED' })).toBe(200);
    expect(await rowOf(id)).toEqual(row);
    await stage.remove(id);
    expect(await post(url, {})).toBe(200);
    expect(await rowOf(id)).toBeUndefined();
  });
});

describe('keeps out', () => {
  it('ten thousand forged tokens: no upstream call, no change', async () => {
    await stage.test.turn({ callbacks: 'none', queuedMs: 60_000 });
    const [id, other] = [await say('target'), await say('other')];
    const tokenOf = async (of: string) => new URL(await urlOf(of)).pathname.split('/').at(-1) ?? '';
    const [token, foreign] = [await tokenOf(id), await tokenOf(other)];
    const parts = token.split('.');
    const forgeries: ((n: number) => string)[] = [
      // A signature of the right length with a wrong secret.
      () => [...parts.slice(0, -1), randomBytes(32).toString('base64url')].join('.'),
      // The token of another lip-sync with this one's id.
      () => [...parts.slice(0, -1), foreign.split('.').at(-1)].join('.'),
      (n) => token.slice(0, n % token.length || 1),
      (n) => parts.map((part, at) => (at === n % parts.length ? 'x'.repeat(43) : part)).join('.'),
      (n) => flip(token, n % token.length),
      () => randomBytes(48).toString('base64url'),
    ];
    const row = await rowOf(id);
    const before = await stage.requests();
    const [counted] = await countRows();
    for (let batch = 0; batch < 200; batch += 1) {
      const statuses = await Promise.all(
        Array.from({ length: 50 }, (_, n) => {
          const forged = forgeries[n % forgeries.length]?.(batch * 50 + n) ?? '';
          expect(forged).not.toBe(token);
          const lie = { video_id: 'x', video_status_name: 'COMPLETED' };
          return post(`${stage.test.url}/callbacks/${forged}`, n % 2 ? lie : '\0rubbish');
        }),
      );
      expect(new Set(statuses)).toEqual(new Set([404]));
    }
    expect(await countRows()).toEqual([counted]);
    const { status, hinted_video_ids, upstream_video_id } = row ?? {};
    expect(await rowOf(id)).toMatchObject({ status, hinted_video_ids, upstream_video_id });
    // Polls may read meanwhile; nothing else does.
    const after = (await stage.requests()).slice(before.length);
    expect(after.filter(({ path }) => !path.startsWith('/videos/?'))).toEqual([]);
    await Promise.all([stage.cancel(id), stage.cancel(other)]);
  }, 120_000);
});
