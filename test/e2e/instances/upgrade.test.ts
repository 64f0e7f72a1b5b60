import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keyOf } from '../../../src/graphql/ids.ts';
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts';
import { type TestStorage, testStorage } from '../../support/database.ts';
import type { GraphQLClient } from '../../support/graphql-client.ts';
import { Program, startProgram } from '../../support/program.ts';

const root = join(import.meta.dirname, '../../..');

/**
 * The version before, from the history of this repository: no release has been made yet. After a release this is its tag.
 * Its last migration is 0022.
 */
const versionBefore = '351c305e614898856b93fdd9c016c05e025d983b';

/** False in a clone without the whole history, which then says so in the title of the skipped tests. */
const isInHistory = (() => {
  try {
    execFileSync('git', ['cat-file', '-e', `${versionBefore}^{commit}`], {
      cwd: root,
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
})();

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
  if (isInHistory) await extract(versionBefore, folder);
});
afterEach(async () => {
  for (const program of programs) {
    if (program.child.exitCode === null) await program.kill('SIGKILL');
  }
  await sandbox.close();
  await storage.remove();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function extract(commit: string, target: string): Promise<void> {
  const archive = join(target, 'version-before.tar');
  const run = promisify(execFile);
  const paths = ['src', 'package.json'];
  await run('git', ['archive', '--output', archive, commit, ...paths], { cwd: root });
  await run('tar', ['-xf', archive, '-C', target]);
  await symlink(join(root, 'node_modules'), join(target, 'node_modules'));
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

function startVersionBefore(): Program {
  const child = spawn(process.execPath, ['--liftoff-only', 'src/main.ts'], {
    cwd: folder,
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

async function readVideoId(client: GraphQLClient): Promise<string> {
  const { data } = await client.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 1, filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  return data?.videos.nodes[0]?.id ?? '';
}

/** Asks one program for lip-syncs and follows each with the other one. */
async function makeLipsyncs(
  { from, to }: { from: GraphQLClient; to: GraphQLClient },
  count: number,
): Promise<{ id: string; ends: string[] }[]> {
  const videoId = await readVideoId(from);
  return Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const input = { video: { videoId }, speech: { script: { text: `Number ${number}` } } };
      const created = await from.ask<{ createLipsync: { lipsync: { id: string } } }>(
        'mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { ... on CreateLipsyncSuccess { lipsync { id } } } }',
        { input },
      );
      const id = created.data?.createLipsync.lipsync.id ?? '';
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

const title = isInHistory ? '' : ` (skipped: this clone lacks commit ${versionBefore})`;

describe.runIf(isInHistory)(`an upgrade under load${title}`, () => {
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
    const goesOn = makeLipsyncs({ from: current, to: current }, 6);
    expect((await before.kill('SIGTERM')).code).toBe(0);
    made.push(...(await goesOn));

    expect(made.map(({ ends }) => ends)).toEqual(made.map(() => ['COMPLETED']));
    const jobs = await jobsByLipsync();
    expect(made.map(({ id }) => jobs.get(keyOf('Lipsync', id) ?? ''))).toEqual(made.map(() => 1));
    expect(jobs.size).toBe(made.length);
    expect([...problemsOf(before), ...problemsOf(after)]).toEqual([]);
  }, 120_000);

  test('this version goes on with what the version before left, which then refuses to start', async () => {
    const before = startVersionBefore();
    const old = await before.client();
    const videoId = await readVideoId(old);
    const created = await old.ask<{ createLipsync: { lipsync: { id: string } } }>(
      'mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { ... on CreateLipsyncSuccess { lipsync { id } } } }',
      { input: { video: { videoId }, speech: { script: { text: 'Goes on. [[slow]]' } } } },
    );
    await before.kill('SIGKILL');

    const current = await startThisVersion().client();
    const { id } = created.data?.createLipsync.lipsync ?? {};
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
