import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { restoreBackup } from '../../src/backup/read-backup.ts';
import { writeBackup } from '../../src/backup/write-backup.ts';
import { readConfig } from '../../src/config.ts';
import { connectDatabase } from '../../src/database/connect.ts';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { postgresUrl, type TestStorage, testStorage } from '../support/database.ts';
import { createLipsync, inputOf, type Lipsync, readVideoIds } from '../support/lipsyncs.ts';

const root = join(import.meta.dirname, '../..');

let folder: string;
let file: string;
let closers: (() => Promise<unknown>)[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lipsync-backup-'));
  file = join(folder, 'lipsync.backup');
  closers = [() => rm(folder, { recursive: true, maxRetries: 5 })];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
});

async function newStorage(
  options: { migrated?: boolean; isEmbedded?: boolean } = {},
): Promise<TestStorage> {
  const storage = await testStorage(options);
  closers.push(storage.remove);
  return storage;
}

const configOf = ({ url, dataDir }: TestStorage) =>
  readConfig({ DATA_DIR: dataDir, ...(url === undefined ? {} : { DATABASE_URL: url }) });

const backup = (storage: TestStorage, isForced = false) =>
  writeBackup(configOf(storage), { file, isForced });

const restore = (storage: TestStorage, options: { force?: boolean; nothingSent?: boolean } = {}) =>
  restoreBackup(configOf(storage), {
    file,
    isForced: options.force ?? false,
    nothingSentSince: options.nothingSent ?? false,
  });

async function query<Row extends Record<string, unknown>>(storage: TestStorage, sql: string) {
  const db = await connectDatabase(storage);
  return db.query<Row>(sql).finally(() => db.close());
}

/** Six jobs run at once; further lip-syncs wait. */
async function openSandbox(): Promise<Sandbox> {
  const sandbox = await startSandbox({
    dataDir: join(folder, 'sandbox'),
    queuedMs: 10,
    generatingMs: 3_600_000,
  });
  closers.push(sandbox.close);
  await control(sandbox, 'PUT switches', { replyRefInLists: true });
  return sandbox;
}

async function control<T>({ origin }: Sandbox, call: string, body?: object) {
  const [method = '', path] = call.split(' ');
  const response = await fetch(`${origin}/_sandbox/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await response.json()) as T;
}

async function countPosts(sandbox: Sandbox): Promise<number> {
  const requests = await control<{ method: string; path: string }[]>(sandbox, 'GET requests');
  return requests.filter((each) => each.method === 'POST' && each.path.includes('lipsync')).length;
}

/** Ends every job within a moment, also those that are made later. */
async function finishJobs(sandbox: Sandbox): Promise<void> {
  await control(sandbox, 'PUT switches', { generatingMs: 50 });
  const { jobs } = await control<{ jobs: { video_id: string; status: string }[] }>(
    sandbox,
    'GET jobs',
  );
  for (const { video_id: id, status } of jobs) {
    if (!['QUEUED', 'GENERATING'].includes(status)) continue;
    await control(sandbox, `POST jobs/${encodeURIComponent(id)}/finish`, { status: 'COMPLETED' });
  }
}

async function startOn(storage: TestStorage, sandbox: Sandbox): Promise<TestApp> {
  const app = await startTestApp({ storage, upstream: sandbox });
  closers.push(app.stop);
  return app;
}

async function createNine(app: TestApp): Promise<Lipsync[]> {
  const [videoId = ''] = await readVideoIds(app);
  const created: Lipsync[] = [];
  for (let number = 0; number < 9; number += 1) {
    const idempotencyKey = `key ${number}`;
    const input = inputOf(videoId, `Number ${number}`, { idempotencyKey });
    created.push(await createLipsync(app, input));
  }
  return created;
}

/** The statuses of every event of a lip-sync, once it has ended as it will. */
async function watchToEnd(app: TestApp, id: string, end = 'COMPLETED'): Promise<string[]> {
  const statuses: string[] = [];
  const after = await firstCursor(app, id);
  for (;;) {
    const events = app.watchSse(
      `subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) {
         ... on LipsyncProgress { sequence status failure { code } } } }`,
      { id, after },
    );
    statuses.length = 0;
    for await (const { data } of events) {
      const progress = (data as { data: { lipsyncProgress: { status: string } } }).data;
      statuses.push(progress.lipsyncProgress.status);
    }
    if (statuses.at(-1) === end) return statuses;
  }
}

async function firstCursor(app: TestApp, id: string): Promise<string | undefined> {
  const { data } = await app.ask<{ lipsync: { events: { nodes: { cursor: string }[] } } }>(
    'query ($id: ID!) { lipsync(id: $id) { events(first: 1) { nodes { cursor } } } }',
    { id },
  );
  return data?.lipsync.events.nodes[0]?.cursor;
}

const terminal = (statuses: string[]) =>
  statuses.filter((status) => ['COMPLETED', 'FAILED'].includes(status));

// With slots that are full for a moment, a waiting lip-sync is sent after the 10 to 30 seconds that the service asks for.
describe('a restore continues running lip-syncs', { timeout: 120_000 }, () => {
  let sandbox: Sandbox;
  let first: TestStorage;
  let ids: string[];
  let running: Set<string>;
  beforeEach(async () => {
    sandbox = await openSandbox();
    first = await newStorage();
    const app = await startOn(first, sandbox);
    const created = await createNine(app);
    ids = created.map(({ id }) => id);
    running = new Set(created.filter(({ status }) => status !== 'QUEUED').map(({ id }) => id));
    expect(running.size).toBeGreaterThan(0);
    expect(running.size).toBeLessThan(9);
    await app.stop();
    const { rows } = await backup(first);
    expect(rows).toBeGreaterThan(18);
  });

  test('each ends once, with one POST, when nothing was sent since the backup', async () => {
    const second = await newStorage({ migrated: false });
    await restore(second, { nothingSent: true });
    const app = await startOn(second, sandbox);
    await finishJobs(sandbox);
    for (const id of ids) expect(terminal(await watchToEnd(app, id))).toEqual(['COMPLETED']);
    expect(await countPosts(sandbox)).toBe(9);
  });

  test('what waited is not sent a second time when it was sent since the backup', async () => {
    const goesOn = await startOn(first, sandbox);
    await finishJobs(sandbox);
    for (const id of ids) await watchToEnd(goesOn, id);
    expect(await countPosts(sandbox)).toBe(9);
    await goesOn.stop();

    const second = await newStorage({ migrated: false });
    await restore(second);
    const app = await startOn(second, sandbox);
    for (const id of ids) {
      const ends = terminal(await watchToEnd(app, id));
      // Its job is found afterwards by our own id.
      expect(ends).toEqual(running.has(id) ? ['COMPLETED'] : ['FAILED', 'COMPLETED']);
    }
    expect(await countPosts(sandbox)).toBe(9);
    await app.stop();
    const [before, after] = await Promise.all(
      [first, second].map((each) => query(each, 'select id, owner from lipsyncs order by id')),
    );
    expect(after).toEqual(before);
  });

  test('every table, column and sequence comes back as it was', async () => {
    const second = await newStorage({ migrated: false });
    await restore(second, { nothingSent: true });
    const sql = `select (select json_agg(l order by id) from lipsyncs l)::text as lipsyncs,
      (select json_agg(e order by lipsync_id, sequence) from lipsync_events e)::text as events,
      (select json_agg(a order by id) from accounts a)::text as accounts,
      (select json_agg(w order by owner) from waiting_counts w)::text as waiting,
      (select json_agg(s order by name) from settings s)::text as settings,
      (select json_agg(v order by owner, key) from owner_videos v)::text as videos,
      nextval('turns')::text as turn,
      nextval(pg_get_serial_sequence('lipsyncs', 'queue_order'))::text as "order"`;
    const [before, after] = await Promise.all([first, second].map((each) => query(each, sql)));
    expect(after).toEqual(before);
  });
});

// The suite of PostgreSQL has both stores.
describe.runIf(postgresUrl !== undefined)(
  'a restore into the other store',
  { timeout: 180_000 },
  () => {
    test.each([
      { from: 'the embedded database', to: 'PostgreSQL', isFromEmbedded: true },
      { from: 'PostgreSQL', to: 'the embedded database', isFromEmbedded: false },
    ])('continues running lip-syncs from $from in $to', async ({ isFromEmbedded }) => {
      const sandbox = await openSandbox();
      const first = await newStorage({ isEmbedded: isFromEmbedded });
      const before = await startOn(first, sandbox);
      const created = await createNine(before);
      const running = created.filter(({ status }) => status !== 'QUEUED');
      expect(running.length).toBeGreaterThan(0);
      expect(running.length).toBeLessThan(9);
      await before.stop();
      await backup(first);

      const second = await newStorage({ migrated: false, isEmbedded: !isFromEmbedded });
      await restore(second, { nothingSent: true });
      const sql = `select (select json_agg(l order by id) from lipsyncs l)::jsonb as lipsyncs,
      (select json_agg(e order by lipsync_id, sequence) from lipsync_events e)::jsonb as events`;
      const [left, restored] = await Promise.all([first, second].map((each) => query(each, sql)));
      expect(restored).toEqual(left);
      const after = await startOn(second, sandbox);
      expect((await createNine(after)).map(({ id }) => id)).toEqual(created.map(({ id }) => id));
      await finishJobs(sandbox);
      for (const { id } of created) {
        expect(terminal(await watchToEnd(after, id))).toEqual(['COMPLETED']);
      }
      expect(await countPosts(sandbox)).toBe(9);
    });
  },
);

const sandboxFolder = ({ dataDir }: TestStorage) => join(dataDir, 'sandbox', 'files');

async function writeSandboxFile(storage: TestStorage, name: string, text: string): Promise<void> {
  await mkdir(sandboxFolder(storage), { recursive: true });
  await writeFile(join(sandboxFolder(storage), name), text);
}

/** The texts by their names. */
async function readSandboxFiles(storage: TestStorage): Promise<Record<string, string>> {
  const names = (await readdir(sandboxFolder(storage))).toSorted();
  const texts = names.map((name) => readFile(join(sandboxFolder(storage), name), 'utf8'));
  return Object.fromEntries((await Promise.all(texts)).map((text, at) => [names[at], text]));
}

test('with --force the files of the sandbox become those of the backup', async () => {
  const storage = await newStorage();
  await writeSandboxFile(storage, 'sound', 'before');
  await writeFile(join(storage.dataDir, 'sandbox-port'), '4123');
  await backup(storage);
  await writeSandboxFile(storage, 'sound', 'later');
  await writeSandboxFile(storage, 'video', 'later');
  await writeFile(join(storage.dataDir, 'sandbox-port'), '4124');
  await expect(restore(storage)).rejects.toThrow('The sandbox is not empty');
  expect(await restore(storage, { force: true })).toMatchObject({ files: 2 });
  expect(await readSandboxFiles(storage)).toEqual({ sound: 'before' });
  expect(await readFile(join(storage.dataDir, 'sandbox-port'), 'utf8')).toBe('4123');
  expect(await readdir(storage.dataDir)).not.toContain('sandbox-restore');
});

describe('refuses', () => {
  test('to replace a file, and a database with rows, without --force', async () => {
    const storage = await newStorage();
    await query(storage, `insert into settings (name, value) values ('a', 'before')`);
    await backup(storage);
    await expect(backup(storage)).rejects.toThrow('--force');
    await backup(storage, true);
    await query(storage, `update settings set value = 'later'`);
    await expect(restore(storage)).rejects.toThrow('not empty');
    expect(await query(storage, 'select value from settings')).toEqual([{ value: 'later' }]);
    await restore(storage, { force: true });
    expect(await query(storage, 'select value from settings')).toEqual([{ value: 'before' }]);
  });

  test('a file that is not a backup, or only a part of one, and changes nothing', async () => {
    const storage = await newStorage();
    await query(storage, `insert into settings (name, value) values ('a', 'kept')`);
    await backup(storage);
    const whole = gunzipSync(await readFile(file)).toString();
    const parts = ['', 'rubbish', whole.slice(0, whole.lastIndexOf('{'))].map((text) =>
      gzipSync(text),
    );
    for (const bytes of [
      ...parts,
      Buffer.from('rubbish'),
      (await readFile(file)).subarray(0, -9),
    ]) {
      await writeFile(file, bytes);
      await expect(restore(storage, { force: true })).rejects.toThrow(/backup/);
    }
    expect(await query(storage, 'select value from settings')).toEqual([{ value: 'kept' }]);
  });

  test('a backup of a newer version', async () => {
    const storage = await newStorage();
    await backup(storage);
    const whole = gunzipSync(await readFile(file)).toString();
    const newer = whole.replace('"migrations":["0001-start.sql"', '$&,"0001-zzz.sql"');
    await writeFile(file, gzipSync(newer));
    const empty = await newStorage({ migrated: false });
    await expect(restore(empty)).rejects.toThrow('newer version');
  });

  test.each([
    { what: 'with a path that leads out of DATA_DIR', reason: 'invalid path' },
    { what: 'with rows that do not fit', reason: 'There is no table none' },
  ])('a file $what, and changes neither rows nor files', async ({ what, reason }) => {
    const storage = await newStorage();
    await writeSandboxFile(storage, 'sound', 'before');
    await backup(storage);
    const whole = gunzipSync(await readFile(file)).toString();
    const end = whole.lastIndexOf('{"end"');
    const wrong = what.includes('path')
      ? [
          '{"file":"sandbox/../../evil","pieces":1}\nAAAA\n',
          whole.slice(end).replace('"files":1', '"files":2'),
        ]
      : [
          '{"table":"none","count":1}\n[{}]\n',
          whole.slice(end).replace(/"rows":(\d+)/, (_, rows) => `"rows":${Number(rows) + 1}`),
        ];
    await writeFile(file, gzipSync(whole.slice(0, end) + wrong.join('')));
    await query(storage, `insert into settings (name, value) values ('a', 'kept')`);
    await writeSandboxFile(storage, 'sound', 'kept');
    await writeSandboxFile(storage, 'video', 'kept');
    await expect(restore(storage, { force: true })).rejects.toThrow(reason);
    expect(await query(storage, 'select value from settings')).toEqual([{ value: 'kept' }]);
    expect(await readSandboxFiles(storage)).toEqual({ sound: 'kept', video: 'kept' });
    expect(await readdir(storage.dataDir)).not.toContain('sandbox-restore');
  });

  test('a database that a server uses', async () => {
    const storage = await newStorage();
    await backup(storage);
    const app = await startTestApp({ storage });
    closers.push(app.stop);
    await expect(restore(storage, { force: true })).rejects.toThrow(/in use|server/);
  });
});

describe('npm run backup and npm run restore', () => {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const run = (script: string, args: string[], env: Record<string, string>) =>
    promisify(execFile)(process.execPath, ['--liftoff-only', `src/${script}.ts`, ...args], {
      cwd: root,
      env: { PATH, NODE_COMPILE_CACHE, ...env },
    });

  test('say what is wrong and exit with 1, or 64 for a wrong option', async () => {
    const env = { DATA_DIR: join(folder, 'none') };
    await expect(run('backup', [file], env)).rejects.toMatchObject({
      code: 1,
      stderr: 'There is no database in DATA_DIR.\n',
    });
    await expect(run('backup', [], env)).rejects.toMatchObject({ code: 64 });
    await expect(run('backup', [file, '--nothing-sent-since'], env)).rejects.toMatchObject({
      code: 64,
    });
  });
});
