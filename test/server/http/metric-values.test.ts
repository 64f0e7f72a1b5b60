import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { signToken } from '../../../src/callbacks/token.ts';
import { encodeId, keyOf } from '../../../src/graphql/ids.ts';
import { createMetrics } from '../../../src/server/http/metrics.ts';
import { pageOf } from '../../docs/pages.ts';
import {
  idOf,
  type LipsyncApp,
  shortIntervals,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { readDefinitions, type Sample, scrape, sumOf } from '../../support/metrics.ts';

const secret = 'a secret of sixteen bytes and more';
let app: LipsyncApp;
let video: string;
const outage = { isOn: false };
beforeAll(async () => {
  app = await startLipsyncApp({
    intervals: shortIntervals,
    env: { CALLBACK_SECRET: secret, POLL_INTERVAL_MS: '3600000' },
    wrapDatabase: (db) => {
      const query = db.query.bind(db);
      const breakable: typeof query = (text, params) =>
        outage.isOn ? Promise.reject(new Error('The database is away.')) : query(text, params);
      return Object.assign(db, { query: breakable });
    },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app?.stop());

const read = () => scrape(app.url);
const create = async (text: string) => idOf(await app.create({ video: { videoId: video }, text }));

/** How much a counter grew while `work` ran, once it did. */
async function growth(
  name: string,
  labels: Record<string, string>,
  work: () => Promise<unknown>,
): Promise<number> {
  const count = (samples: readonly Sample[]) => sumOf(samples, name, labels) ?? 0;
  const before = count(await read());
  await work();
  await vi.waitFor(async () => expect(count(await read())).toBeGreaterThan(before), longWait);
  return count(await read()) - before;
}

const callBack = (id: string) => {
  const token = signToken([secret], { purpose: 'callback', id: keyOf('Lipsync', id) ?? '' });
  return fetch(`${app.url}/callbacks/${token}`, { method: 'POST', body: '{}' });
};

describe('/metrics counts', () => {
  test('a submission, its end and the requests to the video service', async () => {
    let id = '';
    const sent = await growth('lipsync_submissions_total', { outcome: 'accepted' }, async () => {
      id = await create('Counted.');
    });
    await app.waitForEnd(id);
    const samples = await read();
    expect(sent).toBe(1);
    expect(sumOf(samples, 'lipsync_end_to_end_seconds_count', { status: 'COMPLETED' })).toBe(1);
    const post = { endpoint: 'POST /videos/lipsync', status: '200' };
    expect(sumOf(samples, 'upstream_requests_total', post)).toBe(1);
    expect(sumOf(samples, 'upstream_requests_seconds_count', post)).toBe(1);
    expect(sumOf(samples, 'graphql_operations_total', { type: 'mutation', result: 'ok' })).toBe(1);
  });

  test('a callback by what it brought', async () => {
    const kinds = 'lipsync_callbacks_total';
    await app.turn({ callbacks: 'none' });
    const id = await create('[[never]] Called back.');
    await app.finishJob(id);
    expect(await growth(kinds, { kind: 'first_news' }, () => callBack(id))).toBe(1);
    expect(sumOf(await read(), 'lipsync_callback_lag_seconds_count')).toBeGreaterThan(0);
    expect(await growth(kinds, { kind: 'duplicate' }, () => callBack(id))).toBe(1);
    const cancelled = await create('[[never]] Cancelled.');
    await app.cancel(cancelled);
    expect(await growth(kinds, { kind: 'late' }, () => callBack(cancelled))).toBe(1);
    const forged = () => fetch(`${app.url}/callbacks/forged`, { method: 'POST', body: '{}' });
    expect(await growth(kinds, { kind: 'forged' }, forged)).toBe(1);
    await app.clearSwitches();
  });

  test('what waits, what runs and what is searched for', async () => {
    const running = await Promise.all(['a', 'b', 'c'].map((each) => create(`[[never]] ${each}`)));
    app.clock.aheadMs = 0;
    const waiting = await create('[[never]] Waits.');
    app.clock.aheadMs = 600_000;
    const samples = await read();
    app.clock.aheadMs = 0;
    expect(sumOf(samples, 'lipsync_queue_waiting')).toBe(1);
    expect(sumOf(samples, 'lipsync_queue_oldest_seconds')).toBeGreaterThanOrEqual(600);
    expect(sumOf(samples, 'lipsync_running')).toBe(3);
    expect(sumOf(samples, 'lipsync_account_paused')).toBe(0);
    expect(sumOf(samples, 'lipsync_outcome_unknown')).toBe(0);
    for (const id of [waiting, ...running]) await app.cancel(id);
    const accounts = samples.filter(({ name }) => name === 'lipsync_account_paused');
    expect(accounts.map(({ labels }) => labels.account)).toEqual([
      expect.stringMatching(/^[\w-]{12}$/),
    ]);
  });

  test('rejected, answered and failed operations, and streams that are resumed', async () => {
    const total = 'graphql_operations_total';
    const rejected = () => app.ask('{ nothing }');
    expect(await growth(total, { type: 'query', result: 'rejected' }, rejected)).toBe(1);
    const unparsed = () => app.ask('{');
    expect(await growth(total, { type: 'unknown', result: 'rejected' }, unparsed)).toBe(1);
    const failed = () => app.ask('{ lipsyncs(first: 1000) { nodes { id } } }');
    expect(await growth(total, { type: 'query', result: 'errors' }, failed)).toBe(1);
    const id = await create('Followed.');
    await app.waitForEnd(id);
    const [{ cursor = '' } = {}] = await app.readEvents(id);
    const resume = () => Array.fromAsync(app.subscribe(id, cursor));
    expect(await growth('graphql_stream_resumes_total', {}, resume)).toBe(1);
    expect(sumOf(await read(), 'lipsync_first_event_seconds_count')).toBeGreaterThan(0);
  });

  test('an open subscription by its transport, until it ends', async () => {
    const id = await create('[[never]] Open.');
    const stream = app.subscribe(id)[Symbol.asyncIterator]();
    await stream.next();
    expect(sumOf(await read(), 'graphql_streams', { transport: 'websocket' })).toBe(1);
    await app.cancel(id);
    while ((await stream.next()).done !== true);
    expect(sumOf(await read(), 'graphql_streams', { transport: 'websocket' })).toBe(0);
  });
});

test('labels are bounded: what clients write in paths, names and ids makes no new series', async () => {
  const round = async (word: string) => {
    for (const path of ['', 'graphql/', 'uploads/', 'callbacks/', 'results/', 'mcp/', 'livez/']) {
      await fetch(`${app.url}/${path}${word}?${word}=1`, { method: 'PROPFIND' });
    }
    await app.ask(`query ${word} { ${word}: lipsync(id: "${word}") { id } }`);
    await app.ask(`{ ${word} }`);
    await app.ask(
      `{ video(id: "${encodeId('Video', `user:1-pixverse:a@b.c-video:${word}1`)}") { id } }`,
    );
    await app.cancel(await create(`[[never]] ${word}`));
  };
  // Without what Node reports of itself, such as the kinds of its open handles.
  const series = async () =>
    new Set(
      (await read()).map(({ text }) => text).filter((text) => !/^(nodejs|process)_/.test(text)),
    );
  await round('alpha');
  const before = await series();
  await round('beta');
  await round('gamma');
  expect([...(await series()).difference(before)]).toEqual([]);
  expect([...before].filter((text) => /alpha|@/.test(text))).toEqual([]);
});

test('while the database is unavailable, /metrics shows that and everything that needs no database', async () => {
  outage.isOn = true;
  const samples = await read().finally(() => {
    outage.isOn = false;
  });
  expect(sumOf(samples, 'lipsync_database_up')).toBe(0);
  expect(sumOf(samples, 'lipsync_queue_waiting')).toBeNull();
  expect(sumOf(samples, 'lipsync_running')).toBeNull();
  expect(sumOf(samples, 'graphql_operations_total')).toBeGreaterThan(0);
  const after = await read();
  expect(sumOf(after, 'lipsync_database_up')).toBe(1);
  expect(sumOf(after, 'lipsync_queue_waiting')).toBe(0);
});

test('no measurement from before the first collection is lost, however many there are', async () => {
  const metrics = createMetrics();
  metrics.connect({
    readWork: () => Promise.reject(new Error('The database is away.')),
    countStreams: () => ({ sse: 0, multipart: 0, websocket: 0, callback: 0, mcp: 0 }),
    countUnreadBytes: () => 0,
    countConnections: () => ({ busy: 2, idle: 1, waiting: 4 }),
  });
  for (let at = 0; at < 25_000; at += 1) metrics.meter.count('imports_total', { result: 'ready' });
  const { text } = await metrics.collect();
  expect(text).toContain('imports_total{result="ready"} 25000\n');
  expect(text).toContain('lipsync_database_connections{state="busy"} 2\n');
  expect(text).toContain('lipsync_database_waiting 4\n');
});

test('docs/metrics.md has every metric of this server with its labels, and no other', async () => {
  const rows = pageOf('docs/metrics.md').rows.filter(([first = '']) => first.startsWith('`'));
  const documented = rows.map(([name = '', labels = '']) => [
    /`(\w+)`/.exec(name)?.[1],
    [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label),
  ]);
  const definitions = await readDefinitions();
  const names = new Set(definitions.map(({ name }) => name));
  const isOfLibrary = (name = '') => /^(process|nodejs)_/.test(name);
  const own = definitions
    .filter(({ name }) => !isOfLibrary(name))
    .map(({ name, labels }) => [name, labels]);
  expect(documented.filter(([name]) => !isOfLibrary(name as string)).toSorted()).toEqual(
    own.toSorted(),
  );
  for (const [name] of documented) expect(names).toContain(name);
});
