import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { oldestLastMigration } from '../../../src/database/migrate.ts';
import { keyOf } from '../../../src/graphql/ids.ts';
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts';
import { type TestStorage, testStorage } from '../../support/database.ts';
import type { GraphQLClient } from '../../support/graphql-client.ts';
import { createLipsync, inputOf, readVideoIds } from '../../support/lipsyncs.ts';
import { Program, startProgram } from '../../support/program.ts';

const root = join(import.meta.dirname, '../../..');

/**
 * The version before, of which the last migration is 0022; no release has been made yet. After a release this is made from its
 * tag, by `git archive <tag> src package.json`, without the sandbox and the demo. A file and not the repository's history,
 * which a shallow clone does not have. Its dependencies that this version has no more are among the `devDependencies`.
 */
const versionBefore = join(import.meta.dirname, 'version-before.tar.gz');

/** The program of the version before. One folder for all tests, because Node keeps compiled code by its path. */
let versionBeforeFolder: string;
beforeAll(async () => {
  versionBeforeFolder = await mkdtemp(join(tmpdir(), 'lipsync-version-before-'));
  await extract(versionBefore, versionBeforeFolder);
});
afterAll(() => rm(versionBeforeFolder, { recursive: true, force: true, maxRetries: 5 }));

let folder: string;
let sandbox: Sandbox;
let storage: TestStorage;
let programs: Program[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lipsync-upgrade-'));
  storage = await testStorage({ migrated: false });
  sandbox = await startSandbox({
    dataDir: join(folder, 'upstream'),
    queuedMs: 50,
    generatingMs: 300,
  });
  programs = [];
});
afterEach(async () => {
  for (const program of programs) {
    if (program.child.exitCode === null) await program.kill('SIGKILL');
  }
  await sandbox.close();
  await storage.remove();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function extract(archive: string, target: string): Promise<void> {
  await promisify(execFile)('tar', ['-xzf', archive, '-C', target]);
  await symlink(join(root, 'node_modules'), join(target, 'node_modules'));
  const [before, now] = await Promise.all(
    [target, root].map((each) => readdir(join(each, 'src/database/migrations'))),
  );
  expect(before?.toSorted().at(-1)).toBe(oldestLastMigration);
  expect(now).toEqual(expect.arrayContaining(before ?? []));
  expect(now?.length).toBeGreaterThan(before?.length ?? 0);
}

function environment(): Record<string, string> {
  return {
    USEAPI_TOKEN: sandbox.token,
    USEAPI_BASE_URL: sandbox.baseUrl,
    ALLOW_ANONYMOUS: 'true',
    DATABASE_URL: storage.url ?? '',
    DATA_DIR: folder,
    PORT: '0',
    POLL_INTERVAL_MS: '500',
    CALLBACK_SECRET: 'the same secret everywhere',
  };
}

function startVersionBefore(cwd = versionBeforeFolder): Program {
  const child = spawn(process.execPath, ['--liftoff-only', 'src/main.ts'], {
    cwd,
    env: { PATH: process.env.PATH ?? '', ...environment() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const program = new Program(child);
  programs.push(program);
  return program;
}

function startThisVersion(): Program {
  const program = startProgram(environment());
  programs.push(program);
  return program;
}

/** Asks one program for lip-syncs and follows each with the other one. */
async function makeLipsyncs(
  { from, to }: { from: GraphQLClient; to: GraphQLClient },
  count: number,
): Promise<{ id: string; ends: string[] }[]> {
  const [videoId = ''] = await readVideoIds(from);
  return Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const { id } = await createLipsync(from, inputOf(videoId, `Number ${number}`));
      const events = to.watchSse<{ lipsyncProgress: { status: string } }>(
        'subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { status } } }',
        { id },
      );
      const statuses = await Array.fromAsync(
        events,
        ({ data }) => data.data?.lipsyncProgress.status ?? '',
      );
      return { id, ends: statuses.filter((status) => /COMPLETED|FAILED/.test(status)) };
    }),
  );
}

async function jobsByLipsync(): Promise<Map<string, number>> {
  const response = await fetch(`${sandbox.origin}/_sandbox/jobs`);
  const { jobs } = (await response.json()) as { jobs: { replyRef: string }[] };
  const groups = Map.groupBy(jobs, ({ replyRef }) => replyRef);
  return new Map([...groups].map(([replyRef, own]) => [replyRef, own.length]));
}

const problemsOf = (program: Program) =>
  program.lines.filter(({ level }) => level === 'error' || level === 'fatal');

describe('an upgrade under load', () => {
  test('both versions work on the new tables at once, and no lip-sync is lost or doubled', async () => {
    const before = startVersionBefore();
    const old = await before.client();
    const whileMigrating = makeLipsyncs({ from: old, to: old }, 10);
    const after = startThisVersion();
    const current = await after.client();
    const made = [
      ...(await whileMigrating),
      ...(await makeLipsyncs({ from: old, to: current }, 6)),
      ...(await makeLipsyncs({ from: current, to: old }, 6)),
    ];
    const afterwards = makeLipsyncs({ from: current, to: current }, 6);
    expect((await before.kill('SIGTERM')).code).toBe(0);
    made.push(...(await afterwards));

    expect(made.map(({ ends }) => ends)).toEqual(made.map(() => ['COMPLETED']));
    const jobs = await jobsByLipsync();
    expect(made.map(({ id }) => jobs.get(keyOf('Lipsync', id) ?? ''))).toEqual(made.map(() => 1));
    expect(jobs.size).toBe(made.length);
    expect([...problemsOf(before), ...problemsOf(after)]).toEqual([]);
  }, 120_000);

  // Of the version before only the check of the migrations is replaced: it was made before a newer version could allow it.
  test('the previous version starts on the new tables while this version works, and continues alone', async () => {
    await cp(versionBeforeFolder, folder, { recursive: true, verbatimSymlinks: true });
    await cp(join(root, 'src/database/migrate.ts'), join(folder, 'src/database/migrate.ts'));
    const after = startThisVersion();
    const current = await after.client();
    const first = await makeLipsyncs({ from: current, to: current }, 4);
    const whileStarting = makeLipsyncs({ from: current, to: current }, 8);
    const before = startVersionBefore(folder);
    const old = await before.client();
    const made = [
      ...first,
      ...(await whileStarting),
      ...(await makeLipsyncs({ from: old, to: current }, 6)),
      ...(await makeLipsyncs({ from: current, to: old }, 6)),
    ];
    const goesOn = makeLipsyncs({ from: old, to: old }, 6);
    expect((await after.kill('SIGTERM')).code).toBe(0);
    made.push(...(await goesOn), ...(await makeLipsyncs({ from: old, to: old }, 4)));

    expect(made.map(({ ends }) => ends)).toEqual(made.map(() => ['COMPLETED']));
    const jobs = await jobsByLipsync();
    expect(made.map(({ id }) => jobs.get(keyOf('Lipsync', id) ?? ''))).toEqual(made.map(() => 1));
    expect([...problemsOf(before), ...problemsOf(after)]).toEqual([]);
  }, 120_000);

  test('this version continues the work of the previous version, which then refuses to start', async () => {
    const before = startVersionBefore();
    const old = await before.client();
    const { id } = await createLipsync(old, { text: 'Continues. [[slow]]' });
    await before.kill('SIGKILL');

    const current = await startThisVersion().client();
    const events = current.watchSse<{ lipsyncProgress: { status: string } }>(
      'subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { status } } }',
      { id },
    );
    const statuses = await Array.fromAsync(
      events,
      (each) => each.data.data?.lipsyncProgress.status,
    );
    expect(statuses.at(-1)).toBe('COMPLETED');

    const again = startVersionBefore();
    expect((await again.exited).code).toBe(1);
    expect(again.output).toContain('The database is newer than this program');
  }, 120_000);
});
