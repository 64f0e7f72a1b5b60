import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLog } from '../../support/database.ts';
import { expectSoundLog, idOf, terminalStatuses } from '../../support/lipsync-app.ts';
import { type CreateLipsyncResult, createLipsyncMutation } from '../../support/lipsyncs.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { cheapEnd, type Fleet, type Instance, openFleet } from './fleet.ts';
import { expectWhole } from './operations.ts';

const hour = 3_600_000;
const patient = { timeout: 60_000, interval: 100 };

// A separate server: the one of the run must stay up for other tests.
let server: PostgresServer;
let dataDir: string;
beforeAll(async () => {
  server = await startPostgres();
  dataDir = await mkdtemp(join(tmpdir(), 'lipsync-outage-'));
});
afterAll(async () => {
  await server.remove();
  await rm(dataDir, { recursive: true, force: true });
});

let fleet: Fleet;
let instances: [Instance, Instance];
let video: string;
beforeEach(async () => {
  const url = await server.createDatabase();
  fleet = await openFleet({
    storage: { url, dataDir, log: silentLog, remove: async () => undefined },
    // The clock jumps by half a minute in the second test: leases must outlast that.
    env: { UPSTREAM_TIMEOUT_MS: String(hour) },
    sandbox: { generatingMs: 300 },
  });
  instances = [await fleet.start(), await fleet.start()];
  video = await instances[0].source();
  await fleet.turn({ callbacks: 'final-only', ...cheapEnd });
});
afterEach(() => fleet.stop());

const at = (n: number) => instances[n % 2 === 0 ? 0 : 1];
const say = (text: string) => ({
  video: { videoId: video },
  speech: { script: { text } },
  idempotencyKey: text,
});

/** A claim whose transaction lost its connection at commit has no holder: its lease must expire. */
async function passAnHour(): Promise<void> {
  fleet.clock.aheadMs += hour + 15_000;
  await vi.waitFor(() => fleet.pass(0), patient);
}

const unavailable = {
  errors: [{ extensions: { code: 'TEMPORARILY_UNAVAILABLE', retryable: true } }],
};

describe('works', () => {
  it('ends every lip-sync once across an outage of PostgreSQL with running jobs and open subscriptions', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, (_, n) => at(n).create(say(`${n}`))));
    const ids = made.map(idOf);
    // Each is watched on the instance that did not create it.
    const watchers = await Promise.all(ids.map((id, n) => at(n + 1).watch(id)));
    await vi.waitFor(async () => {
      const ended = (await instances[0].list()).filter(({ status }) =>
        terminalStatuses.includes(status),
      );
      expect(ended.length).toBeGreaterThan(3);
    }, patient);
    await server.stop();
    const unheard = await Promise.all(
      [20, 21, 22, 23].map((n) => at(n).ask(createLipsyncMutation, { input: say(`${n}`) })),
    );
    for (const { status, data, errors } of unheard) {
      expect({ status, data, errors }).toMatchObject({ status: 503, ...unavailable });
      expect(data).toBeUndefined();
    }
    // A POST whose start was stored just before the stop may have arrived only now.
    const before = (await fleet.jobs()).length;
    expect(before).toBeLessThanOrEqual(20);
    // Running jobs end at the upstream meanwhile; their callbacks cannot be handled.
    await vi.waitFor(async () => {
      expect((await fleet.jobs()).filter(({ status }) => status !== 'MODERATED')).toEqual([]);
    }, patient);
    expect(await fleet.jobs()).toHaveLength(before);
    await server.start();
    await passAnHour();
    for (const { over } of watchers) {
      const seen = await over;
      expectWhole(seen);
      expect(seen.at(-1)?.status).toBe('MODERATED');
    }
    // A second, immediate outage interrupts every write under way.
    const more = await Promise.all([20, 21, 22, 23].map((n) => at(n).create(say(`${n}`))));
    expect(more.map(({ replayed }) => replayed)).toEqual(Array(4).fill(false));
    await server.restart();
    await passAnHour();
    for (const [n, each] of more.entries()) {
      expect((await at(n).waitForEnd(idOf(each))).status).toBe('MODERATED');
    }
    const jobs = await fleet.jobs();
    expect(new Set(jobs.map(({ replyRef }) => replyRef)).size).toBe(24);
    expect(jobs).toHaveLength(24);
    for (const id of [...ids, ...more.map(idOf)]) expectSoundLog(await instances[0].readEvents(id));
  });

  it('keeps the answers of POSTs that arrive during an outage of PostgreSQL', async () => {
    await fleet.turn({ generatingMs: hour });
    const running = await Promise.all([1, 2, 3].map((n) => at(n).create(say(`Running ${n}`))));
    const waiting: CreateLipsyncResult[] = [];
    for (const n of [1, 2, 3]) waiting.push(await at(n).create(say(`Waiting ${n}`)));
    await fleet.forgetRequests();
    // Long enough for the server to stop before the answers arrive.
    const late = (status: number) => ({ path: '/videos/lipsync', status, delayMs: 2_000 });
    await fleet.turn({ generatingMs: 60, failPath: [late(429), late(412)], outcome: 'FAILED' });
    await fleet.finishJobs();
    await vi.waitFor(async () => expect(await fleet.posts()).toHaveLength(3), patient);
    await server.stop();
    await vi.waitFor(async () => {
      const statuses = (await fleet.posts()).map(({ status }) => status);
      expect(statuses.sort()).toEqual([200, 412, 429]);
    }, patient);
    await server.start();
    await vi.waitFor(async () => {
      // A lip-sync that was answered 429 waits for half a minute.
      await fleet.pass(31_000);
      const { length } = (await instances[0].list()).filter(({ failure }) => failure !== null);
      expect(length).toBe(6);
    }, patient);
    const ends = await Promise.all(waiting.map((each, n) => at(n).waitForEnd(idOf(each))));
    expect(ends.map(({ failure }) => failure?.code).toSorted()).toEqual([
      'GENERATION_FAILED',
      'GENERATION_FAILED',
      'INSUFFICIENT_CREDITS',
    ]);
    for (const each of [...running, ...waiting]) {
      expectSoundLog(await instances[0].readEvents(idOf(each)));
    }
  });
});
