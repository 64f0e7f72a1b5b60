import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { createMutation, type Made } from '../domains/lipsyncs/stage.ts';
import { type TestStorage, testStorage } from '../support/database.ts';
import { type Leg, openLeg, type Told, type Transport } from '../support/leg.ts';
import { type Program, startProgram } from '../support/other-upstream-process.ts';

const watchers = 500;
const transports: Transport[] = ['websocket', 'event stream'];

let storage: TestStorage;
let sandbox: Sandbox;
let sandboxDir: string;
let program: Program | null = null;

beforeEach(async () => {
  storage = await testStorage();
  sandboxDir = await mkdtemp(join(tmpdir(), 'lipsync-sandbox-'));
  sandbox = await startSandbox({
    dataDir: sandboxDir,
    accounts: [{ email: 'studio@sandbox.example', maxJobs: 5 }],
    queuedMs: 10,
    generatingMs: 3_600_000,
  });
});
afterEach(async () => {
  await program?.kill('SIGKILL');
  await sandbox.close();
  await storage.remove();
  await rm(sandboxDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});

function start(): Program {
  program = startProgram({
    USEAPI_TOKEN: sandbox.token,
    USEAPI_BASE_URL: sandbox.baseUrl,
    ALLOW_ANONYMOUS: 'true',
    DATA_DIR: storage.dataDir,
    PORT: '0',
    POLL_INTERVAL_MS: '500',
  });
  return program;
}

async function createFive(running: Program): Promise<string[]> {
  const client = await running.client();
  type Videos = { videos: { nodes: { id: string }[] } };
  const { data } = await client.ask<Videos>(
    '{ videos(first: 1) { ... on VideoConnection { nodes { id } } } }',
  );
  const id = data?.videos.nodes[0]?.id;
  const made = await Promise.all(
    Array.from({ length: 5 }, (_, n) =>
      client.ask<{ createLipsync: Made }>(createMutation, {
        input: { video: { id }, speech: { text: { text: `Drained ${n}` } } },
      }),
    ),
  );
  return made.map((each) => each.data?.createLipsync.lipsync?.id ?? '');
}

/** Ends what runs at the upstream, with nobody there to be called back. */
async function finishAll(): Promise<void> {
  const read = await fetch(`${sandbox.origin}/_sandbox/jobs`);
  const { jobs } = (await read.json()) as { jobs: { video_id: string }[] };
  for (const { video_id: id } of jobs) {
    const url = `${sandbox.origin}/_sandbox/jobs/${encodeURIComponent(id)}/finish`;
    await fetch(url, { method: 'POST', body: JSON.stringify({ status: 'MODERATED' }) });
  }
}

type Watcher = { id: string; transport: Transport; leg: Leg };

const transportOf = (n: number): Transport => transports[n % 2] ?? 'websocket';

/** Twenty-five at a time, as more sockets that open at once than a core can greet are turned away. */
async function inBatches<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (let at = 0; at < items.length; at += 25) {
    done.push(...(await Promise.all(items.slice(at, at + 25).map(work))));
  }
  return done;
}

async function watchAll(url: string, ids: readonly string[]): Promise<Watcher[]> {
  const numbers = Array.from({ length: watchers }, (_, n) => n);
  return inBatches(numbers, async (n) => {
    const [id = '', transport] = [ids[n % ids.length], transportOf(n)];
    const leg = await openLeg({ url, id, transport, after: null });
    await leg.count(1);
    return { id, transport, leg };
  });
}

describe('SIGTERM', () => {
  test(`under ${watchers} live subscriptions tells all to come back, and none misses its end`, async () => {
    const first = start();
    const ids = await createFive(first);
    expect(ids.every((id) => id !== '')).toBe(true);
    const live = await watchAll(await first.url(), ids);

    // 0 also says that it took less than 10 s: what takes longer is ended from without, with another code.
    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    for (const { transport, leg } of live) {
      const code = transport === 'websocket' ? 1012 : null;
      expect(await leg.over).toEqual({ kind: 'closed', code });
    }
    await finishAll();

    const url = await start().url();
    const resumed = await inBatches(live, async ({ id, transport, leg }) => {
      const after = leg.told.at(-1)?.cursor ?? null;
      const next = await openLeg({ url, id, transport, after });
      expect((await next.over).kind).toBe('completed');
      return [...leg.told, ...next.told];
    });
    expect(resumed).toHaveLength(watchers);
    for (const told of resumed) expectWhole(told);
  });
});

function expectWhole(told: readonly Told[]): void {
  const begun = told[0]?.sequence ?? 0;
  expect(told.map(({ sequence }) => sequence)).toEqual(told.map((_, at) => begun + at));
  expect(told.at(-1)?.status).toBe('MODERATED');
}
