import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { expectSoundLog, idOf } from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { type Fleet, type Instance, openFleet } from './fleet.ts';
import { expectWhole } from './operations.ts';

const never = String(3_600_000);

let fleet: Fleet;
let here: Instance;
let there: Instance;
let video: string;
let admin: Client;
/** The name of the database. */
let name: string;
/** The PostgreSQL backend of the connection on which `there` listens. */
let listening: number;
beforeAll(async () => {
  // No polls: an event arrives only by a callback or a notification of the other instance.
  fleet = await openFleet({ env: { POLL_INTERVAL_MS: never }, sandbox: { generatingMs: 200 } });
  const url = new URL(fleet.storage.url ?? '');
  name = url.pathname.slice(1);
  url.pathname = '/postgres';
  admin = new Client({ connectionString: url.href });
  await admin.connect();
  here = await fleet.start();
  there = await fleet.start();
  // Read at once, because its next statement is not LISTEN.
  const { rows } = await admin.query<{ pid: number }>(
    `select pid from pg_stat_activity where datname = $1 and query ilike 'listen %'
     order by backend_start desc`,
    [name],
  );
  listening = rows[0]?.pid ?? 0;
  video = await here.source();
});
afterAll(async () => {
  await admin.end();
  await fleet.stop();
});
beforeEach(() => fleet.clearSwitches());

const say = (text: string) => ({ video: { videoId: video }, speech: { script: { text } } });

describe('works', () => {
  it('a callback to one instance reaches the subscribers of the other', async () => {
    const made = await here.create(say('Hello'));
    const [job] = await fleet.jobsOf(idOf(made));
    expect(job?.replyUrl).toContain(here.url);
    const { over } = await there.watch(idOf(made));
    const seen = await over;
    expectWhole(seen);
    expect(seen.at(-1)).toMatchObject({ status: 'COMPLETED', source: 'CALLBACK', percent: 100 });
    expectSoundLog(await there.readEvents(idOf(made)));
  });

  it('every instance handles the callback of a lip-sync that another instance submitted', async () => {
    await fleet.turn({ callbacks: 'none', generatingMs: 3_600_000 });
    const made = await here.create(say('Elsewhere'));
    const { over } = await here.watch(idOf(made));
    await fleet.finishJobs();
    const [job] = await fleet.jobsOf(idOf(made));
    const address = (job?.replyUrl ?? '').replace(here.url, there.url);
    const answer = await fetch(address, { method: 'POST', body: '{}' });
    expect(answer.status).toBe(200);
    const seen = await over;
    expectWhole(seen);
    expect(seen.at(-1)).toMatchObject({ status: 'MODERATED', source: 'CALLBACK' });
  });

  it('an instance whose LISTEN connection was cut listens again and reads the events in between', async () => {
    await fleet.turn({ generatingMs: 3_600_000 });
    const made = await here.create(say('Unheard'));
    const { seen, over } = await there.watch(idOf(made));
    // New connections are refused, so that it cannot listen again before all events are stored.
    await admin.query(`alter database ${name} with allow_connections false`);
    const ended = await admin.query('select pg_terminate_backend($1, 10000) as ok', [listening]);
    expect(ended.rows).toEqual([{ ok: true }]);
    await fleet.finishJobs('COMPLETED');
    const [job] = await fleet.jobsOf(idOf(made));
    await vi.waitFor(async () => {
      // Again, with too few connections on the other instance too.
      await fetch(job?.replyUrl ?? '', { method: 'POST', body: '{}' });
      expect((await here.read(idOf(made)))?.status).toBe('COMPLETED');
    }, longWait);
    const heard = seen.length;
    await admin.query(`alter database ${name} with allow_connections true`);
    const all = await over;
    expect(all.length).toBeGreaterThan(heard);
    expectWhole(all);
    expect(all.map(({ sequence }) => sequence)).toEqual(
      (await here.readEvents(idOf(made))).map(({ sequence }) => sequence).slice(-all.length),
    );
    expect(
      there.logs.some(({ msg }) => msg === 'reconnected the LISTEN connection to the database'),
    ).toBe(true);
    expect(
      here.logs.some(({ msg }) => msg === 'reconnected the LISTEN connection to the database'),
    ).toBe(false);
  });
});
