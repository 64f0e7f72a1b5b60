import fc from 'fast-check';
import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { signToken } from '../../src/callbacks/token.ts';
import { keyOf } from '../../src/graphql/ids.ts';
import { idOf, type LipsyncApp, startLipsyncApp } from '../support/lipsync-app.ts';
import { longWait } from '../support/lipsyncs.ts';

const secret = 'a secret of sixteen bytes and more';
const seed = 20_260_502;
const count = 3_000;

let app: LipsyncApp;
let pool: Pool;
/** Keys of lip-syncs in every state that a callback can change. */
let targets: string[];

beforeAll(async () => {
  // No polls: only a callback makes the server read a job.
  app = await startLipsyncApp({ env: { CALLBACK_SECRET: secret, POLL_INTERVAL_MS: '3600000' } });
  pool = new Pool(app.url, { connections: 8 });
  await app.turn({ callbacks: 'none', replyRefInScheduler: false });
  const [video = ''] = await app.listVideoIds();
  const say = async (text: string) => idOf(await app.create({ video: { videoId: video }, text }));
  const cancelled = await say('[[never]] cancelled');
  await app.cancel(cancelled);
  const lost = await say('[[cut]] [[never]] lost');
  const running = await say('[[never]] running');
  const alsoRunning = await say('[[never]] also running');
  const waiting = await say('waiting');
  const ids = [cancelled, lost, running, alsoRunning, waiting];
  targets = ids.map((id) => keyOf('Lipsync', id) ?? '');
  // While one waits, the server reads the load of other users once per interval.
  await vi.waitFor(async () => {
    const rows = await app.db.query('select 1 from accounts where others_at is not null');
    expect(rows).toHaveLength(1);
  }, longWait);
});
afterAll(async () => {
  await pool.close();
  await app.stop();
});

const genuine = (id: string) => signToken([secret], { purpose: 'callback', id });

/** Tokens that an attacker can build, from near misses to random texts. */
function forgeries(): fc.Arbitrary<string> {
  const target = fc.constantFrom(...targets);
  const parts = (id: string) => genuine(id).split('.') as [string, string, string];
  const characters = fc.constantFrom(
    ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_09.',
  );
  return fc.oneof(
    // Signed with a guessed secret, under the key id of the real one.
    fc.tuple(target, fc.string({ minLength: 1 })).map(([id, guess]) => {
      const mac = signToken([guess], { purpose: 'callback', id }).split('.').at(-1);
      return [parts(id)[0], id, mac].join('.');
    }),
    fc
      .tuple(target, fc.string({ minLength: 1 }))
      .map(([id, guess]) => signToken([guess], { purpose: 'callback', id })),
    // Genuine, for another endpoint.
    target.map((id) => signToken([secret], { purpose: 'upload', id })),
    fc
      .tuple(target, fc.date({ min: new Date('2100-01-01'), noInvalidDate: true }))
      .map(([id, expiresAt]) => signToken([secret], { purpose: 'upload', id, expiresAt })),
    // With the MAC of another lip-sync.
    fc
      .tuple(target, target)
      .filter(([id, other]) => id !== other)
      .map(([id, other]) => [...parts(id).slice(0, 2), parts(other)[2]].join('.')),
    // Genuine, then changed.
    fc.tuple(target, fc.nat(2)).map(([id, at]) => parts(id).with(at, 'x'.repeat(43)).join('.')),
    fc
      .tuple(target, fc.integer({ min: 1, max: 88 }))
      .map(([id, length]) => genuine(id).slice(0, length)),
    fc.tuple(target, fc.string({ minLength: 1 })).map(([id, more]) => genuine(id) + more),
    fc
      .tuple(target, fc.nat(88), characters)
      .map(([id, at, wrong]) => genuine(id).slice(0, at) + wrong + genuine(id).slice(at + 1))
      .filter((token) => !targets.map(genuine).includes(token)),
    fc
      .tuple(target, fc.stringMatching(/^[0-9a-z]{1,11}$/))
      .map(([id, expiry]) => [...parts(id).slice(0, 2), expiry, parts(id)[2]].join('.')),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }).filter((text) => isPath(text)),
  );
}

/** A lone surrogate can't be encoded in a URL. */
const isPath = (text: string) => text.isWellFormed() && !/^\.{1,2}$/.test(text);

function bodies(): fc.Arbitrary<string | Buffer> {
  const claim = fc.record(
    {
      video_id: fc.oneof(fc.string(), fc.integer()),
      video_status_name: fc.constantFrom('QUEUED', 'COMPLETED', 'FAILED', 'MODERATED'),
      video_status_final: fc.boolean(),
      url: fc.webUrl(),
      replyRef: fc.constantFrom(...targets),
    },
    { requiredKeys: [] },
  );
  return fc.oneof(
    claim.map((each) => JSON.stringify(each)),
    fc.json(),
    fc.constantFrom('', '{', 'null', '[[[[[[', '<html>', `{"video_id":"${'x'.repeat(50_000)}"}`),
    fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
  );
}

async function send(token: string, body: string | Buffer) {
  const { statusCode, body: answer } = await pool.request({
    path: `/callbacks/${encodeURIComponent(token)}`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return `${statusCode} ${await answer.text()}`;
}

/** All rows that a callback can change. */
async function readAll() {
  const { db } = app;
  const tables = ['lipsyncs', 'lipsync_events', 'refusals', 'uploads', 'accounts', 'settings'];
  const rows = tables.map((table) => db.query(`select * from ${table} order by 1, 2`));
  // Without what runs by the clock.
  const jobs = db.query(
    String.raw`select name, state, data from pgboss.job
    where name <> 'retention' and name not like '\_\_pgboss%' order by id`,
  );
  return Promise.all([...rows, jobs]);
}

describe('keeps out', () => {
  test(`${count} forged callbacks: no upstream call, no event, no row (seed ${seed})`, async () => {
    const before = await readAll();
    const requests = await app.requests();
    const forged = fc.sample(fc.tuple(forgeries(), bodies()), { numRuns: count, seed });
    expect(new Set(forged.map(([token]) => token)).size).toBeGreaterThan(count / 2);
    const answers = await Promise.all(forged.map(([token, body]) => send(token, body)));
    expect(new Set(answers)).toEqual(new Set(['404 not found\n']));
    expect(await readAll()).toEqual(before);
    expect(await app.requests()).toEqual(requests);

    // The genuine token does change the lip-sync.
    const id = targets[2] ?? '';
    await app.finishJobs();
    expect(await send(genuine(id), '')).toBe('200 ok\n');
    await vi.waitFor(async () => expect(await readAll()).not.toEqual(before), longWait);
  });
});
