import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../../src/graphql/ids.ts';
import {
  expectSoundLog,
  idOf,
  type LipsyncApp,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  // Only callbacks lead to quick reads; polls are rare.
  app = await startLipsyncApp({
    env: { POLL_INTERVAL_MS: '1200', UPSTREAM_TIMEOUT_MS: '5000' },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
beforeEach(async () => {
  await app.clearSwitches();
  await app.forgetRequests();
});

const say = async (text: string) => idOf(await app.create({ video: { videoId: video }, text }));

async function post(url: string, body: unknown): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

const urlOf = async (id: string) => (await app.jobOf(id))?.replyUrl ?? '';
const reads = () => app.requests('GET /videos/');

async function rowOf(id: string) {
  const [row] = await app.db.query('select * from lipsyncs where id = $1', [keyOf('Lipsync', id)]);
  return row;
}

describe('works', () => {
  it.each(['[[no-callback]]', '[[doubled]]', '[[reordered]]', '[[early]]', '[[forged]]'])(
    'leads to the same log with %s',
    async (phrase) => {
      for (const [outcome, code] of [
        ['', undefined],
        ['[[moderated]]', 'CONTENT_MODERATED'],
      ] as const) {
        const id = await say(`${phrase} ${outcome} story`);
        const ended = await app.waitForEnd(id);
        expect(ended.status).toBe(code === undefined ? 'COMPLETED' : 'MODERATED');
        expect(ended.failure?.code).toBe(code);
        if (code === undefined) expect(ended.result?.url).toMatch(app.sandbox.origin);
        const events = await app.readEvents(id);
        expectSoundLog(events);
        expect(events.filter(({ status }) => status === 'SUBMITTED')).toHaveLength(1);
        expect(await app.postsOf(id)).toHaveLength(1);
      }
    },
  );

  it('believes the upstream and not the body', async () => {
    await app.turn({ callbacks: 'none' });
    const id = await say('[[never]] lies');
    const url = await urlOf(id);
    const lie = { video_status_name: 'COMPLETED', video_status_final: true, url: 'http://evil/x' };
    const own = (await app.jobOf(id))?.video_id;
    const bodies = [
      { ...lie, video_id: own },
      { ...lie, video_id: 'user:1-pixverse:x@y.example-video:1' },
      { ...lie, video_id: 'a\0b' },
      { ...lie, replyRef: 'another lip-sync', video_id: 12 },
      { video_id: { deep: [] } },
      'invalid JSON',
      '',
      'x'.repeat(300_000),
    ];
    for (const body of bodies) expect(await post(url, body)).toBe(200);
    await app.waitForStatus(id, 'GENERATING');
    expect(await app.read(id)).toMatchObject({ result: null, failure: null, finishedAt: null });
    await app.finishJob(id);
    expect(await post(url, { ...lie, video_status_name: 'FAILED' })).toBe(200);
    const ended = await app.waitForEnd(id);
    expect(ended.status).toBe('COMPLETED');
    expect(ended.result?.url).toMatch(app.sandbox.origin);
    expectSoundLog(await app.readEvents(id));
  });

  // The database rejects it, and the callback once had no effect.
  it('reads the upstream also if the body contains U+0000', async () => {
    await app.turn({ callbacks: 'none', cutNext: 1, replyRefInScheduler: false });
    const made = await app.create({ video: { videoId: video }, text: 'zero' });
    const before = (await reads()).length;
    expect(await post(await urlOf(idOf(made)), '{"video_id":"a\\u0000b"}')).toBe(200);
    await vi.waitFor(async () => expect((await reads()).length).toBeGreaterThan(before), longWait);
    expect(app.logs.filter(({ msg }) => msg === 'a callback could not be handled')).toEqual([]);
    await app.cancel(idOf(made));
  });

  it('answers at once, also while the read that follows hangs', async () => {
    await app.turn({ callbacks: 'none' });
    const id = await say('[[never]] at once');
    const url = await urlOf(id);
    const hang = { method: 'GET', action: 'hang', times: 1_000 };
    await app.turn({
      failPath: [
        { path: '/videos', ...hang },
        { path: '/videos/*', ...hang },
      ],
    });
    for (let n = 0; n < 5; n += 1) expect(await post(url, {})).toBe(200);
    await vi.waitFor(async () => {
      expect((await reads()).map(({ status }) => status)).toContain('hang');
    }, longWait);
    const release = await app.holdLipsyncs();
    expect(await post(url, {})).toBe(200);
    await release();
    await app.turn({ failPath: null });
    await app.cancel(id);
  });

  it('coalesces a burst of fifty into one immediate read and one later read', async () => {
    await app.turn({ callbacks: 'none', queuedMs: 60_000 });
    const id = await say('burst');
    const url = await urlOf(id);
    const before = (await reads()).length;
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 50 }, () => post(url, {})));
    await vi.waitFor(
      async () => expect((await reads()).length - before).toBeGreaterThanOrEqual(2),
      longWait,
    );
    // One at once and one per second since; polls come in between.
    const seconds = (performance.now() - startedAt) / 1_000;
    expect((await reads()).length - before).toBeLessThanOrEqual(3 + 2 * seconds);
    await app.cancel(id);
  });

  it('answers 200 for a finished or erased lip-sync, and changes nothing', async () => {
    const id = await say('[[no-callback]] over');
    const url = await urlOf(id);
    await app.waitForEnd(id);
    const row = await rowOf(id);
    expect(await post(url, { video_status_name: 'FAILED' })).toBe(200);
    expect(await rowOf(id)).toEqual(row);
    await app.delete(id);
    expect(await post(url, {})).toBe(200);
    expect(await rowOf(id)).toBeUndefined();
  });
});
