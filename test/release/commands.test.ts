import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { findFreePort } from '../support/free-port.ts';
import { createGraphQLClient } from '../support/graphql-client.ts';
import { createLipsync } from '../support/lipsyncs.ts';
import { demux } from '../support/media.ts';
import { startProgram } from '../support/program.ts';

/**
 * The commands of the pages exactly as written, in a copy of the repository, because some of them write. `npm ci` is not
 * repeated: it installed the packages of this run.
 */
const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

let copy: string;
let files: string[];
beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'lipsync-commands-'));
  const { stdout } = await run('git', ['ls-files', '-z'], { cwd: root });
  files = stdout.split('\0').filter((name) => name !== '');
  for (const name of files) {
    await mkdir(dirname(join(copy, name)), { recursive: true });
    await cp(join(root, name), join(copy, name));
  }
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
});
afterAll(() => rm(copy, { recursive: true, force: true, maxRetries: 5 }));

const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;

/** An environment with nothing of this test run except the paths of programs and the compiled code of earlier starts. */
const shell = (command: string, env: Record<string, string> = {}) => ({
  file: 'sh',
  args: ['-c', command],
  options: {
    cwd: copy,
    env: { PATH, HOME, NODE_COMPILE_CACHE, TMPDIR: copy, ...env },
  },
});

function finishWhole(command: string, env: Record<string, string> = {}) {
  const { file, args, options } = shell(command, env);
  return run(file, args, { ...options, maxBuffer: 2 ** 26 });
}

const finish = async (command: string, env?: Record<string, string>): Promise<string> =>
  (await finishWhole(command, env)).stdout;

/** Starts a command and gives its output by line. `end` signals the whole process group, because npm does not forward signals. */
function begin(command: string, env: Record<string, string>) {
  const { file, args, options } = shell(command, env);
  const child: ChildProcess = spawn(file, args, {
    ...options,
    // Node's watcher prints a failed assertion of its own when it is terminated.
    stdio: ['ignore', 'pipe', command === 'npm run dev' ? 'ignore' : 'inherit'],
    detached: true,
  });
  const closed = once(child, 'close');
  if (child.stdout === null) throw new Error('The output was not piped.');
  return {
    lines: createInterface({ input: child.stdout }),
    async end() {
      process.kill(-(child.pid ?? 0), 'SIGTERM');
      await closed;
    },
  };
}

describe('serves', () => {
  test('npm run dev', async () => {
    const { lines, end } = begin('npm run dev', { PORT: '0' });
    try {
      let url = '';
      for await (const line of lines) {
        if (!line.startsWith('{')) continue;
        const { msg, url: address } = JSON.parse(line) as { msg: string; url?: string };
        url = address ?? url;
        if (msg === 'listening') break;
      }
      const client = createGraphQLClient(url.replace(/\/graphql$/, ''));
      const { data } = await client.ask<{ voices: { nodes: object[] } }>(
        '{ voices { ... on VoiceList { nodes { name } } } }',
      );
      expect(data?.voices.nodes).toHaveLength(14);
      const page = await fetch(url, { headers: { accept: 'text/html' } });
      expect(await page.text()).toContain('GraphiQL');
    } finally {
      await end();
    }
  });
});

describe('makes', () => {
  test('npm run demo: a video from the included audio, and no other file', {
    timeout: 180_000,
  }, async () => {
    const before = await readdir(copy);
    const { stdout: said, stderr } = await finishWhole('npm run demo');
    // Node says so of --env-file-if-exists.
    expect(stderr).toBe('.env not found. Continuing without it.\n');
    const [name = '', ...others] = (await readdir(copy)).filter((each) => !before.includes(each));
    expect(name).toMatch(/^lipsync-[0-9a-f]{8}\.mp4$/);
    expect(others).toEqual([]);
    expect(said).toContain(join(copy, name));
    expect(said).toMatch(/^ +\d+ % {2}GENERATING$/m);
    expect(said).toMatch(/^ +100 % {2}COMPLETED$/m);

    const { kinds, audioSeconds } = await demux(join(copy, name));
    expect(kinds).toEqual(['audio', 'video']);
    const { seconds } = await demux(join(copy, 'src/demo-media/speech.mp3'));
    expect(Math.abs(audioSeconds - seconds)).toBeLessThan(0.3);
  });
});

describe('reproduces the committed files', () => {
  test.each(['npm run format', 'npm run schema'])('%s', async (command) => {
    await finish(command);
    const changed: string[] = [];
    for (const name of files) {
      const [was, is] = await Promise.all([root, copy].map((of) => readFile(join(of, name))));
      if (was === undefined || is === undefined || !was.equals(is)) changed.push(name);
    }
    expect(changed).toEqual([]);
  });
});

describe('succeeds', () => {
  test.each([
    ['npm run diff', /compatible|Nothing has changed/],
    ['npm run conformance', 'MUST'],
    ['npm run bench:client', 'gzipped'],
    ['npm run fuzz -- --runs 20', '20 operations'],
  ])('%s', { timeout: 180_000 }, async (command, words) => {
    expect(await finish(command)).toMatch(words);
  });
});

describe('npm run backup and npm run restore', () => {
  test('move an installation with its sandbox, whose running job continues', {
    timeout: 180_000,
  }, async () => {
    const from = { DATA_DIR: join(copy, 'from') };
    const to = { DATA_DIR: join(copy, 'to') };
    const before = startProgram({ ...from, PORT: '0' });
    const { id } = await createLipsync(await before.client(), { text: 'I move.' });
    await before.kill('SIGTERM');

    const saved = await finish('npm run backup -- lipsync.backup', from);
    const written = /\d+ rows and \d+ files of the sandbox were written/.exec(saved)?.[0];
    expect((await stat(join(copy, 'lipsync.backup'))).mode & 0o077).toBe(0);
    expect(await readdir(copy)).not.toContain('lipsync.backup.part');
    const restored = await finish('npm run restore -- lipsync.backup', to);
    expect(restored).toContain(written?.replace('written', 'restored') ?? 'a number of rows');
    const options = '--force --nothing-sent-since';
    expect(await finish(`npm run restore -- lipsync.backup ${options}`, to)).toContain('restored');

    const after = startProgram({ ...to, PORT: '0' });
    const again = await after.client();
    const events = again.watchSse(
      'subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { lipsync { status result { url } } } } }',
      { id },
    );
    const all = await Array.fromAsync(events, ({ data: event }) => JSON.stringify(event));
    const url = /"url":"([^"]+)"/.exec(all.at(-1) ?? '')?.[1] ?? '';
    expect(all.at(-1)).toContain('COMPLETED');
    expect((await fetch(url)).status).toBe(200);
    await after.kill('SIGTERM');
  });
});

describe('examines the installation', () => {
  test('npm run doctor', async () => {
    const env = { PORT: String(await findFreePort()) };
    expect(await finish('npm run doctor', env)).toContain('No problem was found.');
    const { exitCode } = JSON.parse(await finish('npm run -s doctor -- --json', env)) as {
      exitCode: number;
    };
    expect(exitCode).toBe(0);
  });
});

describe('checks another upstream against its documents', () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await startSandbox({ dataDir: join(copy, 'other'), queuedMs: 50, generatingMs: 200 });
  });
  afterAll(() => sandbox.close());

  test('npm run doctor -- --probe', async () => {
    const said = await finish('npm run doctor -- --probe', {
      PORT: String(await findFreePort()),
      PUBLIC_URL: 'https://lipsync.invalid',
      USEAPI_TOKEN: sandbox.token,
      USEAPI_BASE_URL: sandbox.baseUrl,
      ALLOW_ANONYMOUS: 'true',
    });
    expect(said).toContain('Every answer has the shape of the sandbox.');
  });

  test.each([
    'CONTRACT_UPSTREAM_URL=https://api.useapi.net/v2/pixverse CONTRACT_UPSTREAM_TOKEN=user:12345-… npm test -- test/contract',
    'CONTRACT_UPSTREAM_URL=https://api.useapi.net/v2/pixverse CONTRACT_UPSTREAM_TOKEN=user:12345-… CONTRACT_UPSTREAM_SPEND=true npm test -- test/contract',
  ])('%s', { timeout: 120_000 }, async (command) => {
    const here = command
      .replace('https://api.useapi.net/v2/pixverse', sandbox.baseUrl)
      .replace('user:12345-…', sandbox.token);
    expect(await finish(here)).toMatch(/Tests .*\d+ passed/);
  });
});
