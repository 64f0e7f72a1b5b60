import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { ALL_FORMATS, FilePathSource, Input } from 'mediabunny';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { findFreePort } from '../support/free-port.ts';

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

/** An environment with nothing of this test run except the paths of programs. */
const shell = (command: string, env: Record<string, string> = {}) => ({
  file: 'sh',
  args: ['-c', command],
  options: {
    cwd: copy,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: copy, ...env },
  },
});

async function finish(command: string, env: Record<string, string> = {}): Promise<string> {
  const { file, args, options } = shell(command, env);
  const { stdout } = await run(file, args, { ...options, maxBuffer: 2 ** 26 });
  return stdout;
}

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
  test.each(['npm start', 'npm run dev'])('%s', { timeout: 60_000 }, async (command) => {
    const { lines, end } = begin(command, { PORT: '0' });
    try {
      let url: string | undefined;
      for await (const line of lines) {
        if (!line.startsWith('{')) continue;
        const { msg, url: address } = JSON.parse(line) as { msg: string; url?: string };
        url = address;
        if (msg === 'listening') break;
      }
      const response = await fetch(url ?? '', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ voices { ... on VoiceList { nodes { name } } } }' }),
      });
      const { data } = (await response.json()) as { data: { voices: { nodes: object[] } } };
      expect(data.voices.nodes).toHaveLength(14);
      const page = await fetch(url ?? '', { headers: { accept: 'text/html' } });
      expect(await page.text()).toContain('GraphiQL');
    } finally {
      await end();
    }
  });
});

describe('makes', () => {
  test('npm run demo: a video with a video track and an audio track', {
    timeout: 90_000,
  }, async () => {
    const said = await finish('npm run demo');
    const [name] = (await readdir(copy)).filter((each) => each.endsWith('.mp4'));
    expect(said).toContain(name ?? 'the name of a file');
    const input = new Input({
      source: new FilePathSource(join(copy, name ?? '')),
      formats: ALL_FORMATS,
    });
    const kinds = (await input.getTracks()).map(({ type }) => type).toSorted();
    input.dispose();
    expect(kinds).toEqual(['audio', 'video']);
  });
});

describe('reproduces the committed files', () => {
  test.each(['npm run format', 'npm run schema'])('%s', { timeout: 90_000 }, async (command) => {
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
    ['npm run fuzz -- --runs 300', '300 operations'],
  ])('%s', { timeout: 180_000 }, async (command, words) => {
    expect(await finish(command)).toMatch(words);
  });
});

describe('backs up and restores', () => {
  test('npm run backup and npm run restore', { timeout: 90_000 }, async () => {
    const { lines, end } = begin('npm start', { PORT: '0' });
    for await (const line of lines) if (line.includes('"listening"')) break;
    await end();
    expect(await finish('npm run backup -- lipsync.backup')).toContain('were written');
    const empty = { DATA_DIR: join(copy, 'restored') };
    expect(await finish('npm run restore -- lipsync.backup', empty)).toContain('were restored');
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
