import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Copy, DockerfileParser } from 'dockerfile-ast';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Program } from '../support/program.ts';

/*
 * What the image contains, made from the instructions of the Dockerfile without a container engine: the files it copies, the
 * packages it installs, the program and the health check it runs, as a user who may not write outside of the data folder.
 */
const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const instructions = DockerfileParser.parse(
  await readFile(join(root, 'Dockerfile'), 'utf8'),
).getInstructions();
const argumentsOf = (name: string) =>
  instructions
    .filter((each) => each.getInstruction() === name)
    .map((each) => each.getArguments().map((argument) => argument.getValue()));

/** The limit for all files that are copied into the image. The promise is 250 MB; today they have 120. */
const maxBytes = 150_000_000;
/** As the user `node` of the image. Only root can change to another user. */
const user = process.getuid?.() === 0 ? { uid: 1000, gid: 1000 } : {};

let folder: string;
let app: string;
let node: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lipsync-image-'));
  app = join(folder, 'app');
  node = join(folder, 'bin/node');
  const copies = instructions
    .filter((each) => each.getInstruction() === 'COPY')
    .filter((each) => (each as Copy).getFromFlag() === null)
    .map((each) => each.getArguments().map((argument) => argument.getValue()));
  const { stdout } = await run('git', ['ls-files', '-z'], { cwd: root });
  const tracked = stdout.split('\0').filter((file) => file !== '');
  for (const file of tracked) {
    const isCopied = copies.some((names) =>
      names.slice(0, -1).some((name) => file === name || file.startsWith(`${name}/`)),
    );
    if (!isCopied) continue;
    await mkdir(dirname(join(app, file)), { recursive: true });
    await cp(join(root, file), join(app, file));
  }
  const install = argumentsOf('RUN').find((words) => words[1] === 'ci') ?? [];
  const [command = '', ...options] = install.slice(0, install.indexOf('&&'));
  await run(command, options, { cwd: app });
  // The image brings its own Node: nothing of the installed packages is one.
  await mkdir(dirname(node));
  await cp(process.execPath, node);
  await mkdir(join(folder, 'data'));
  if (user.uid !== undefined) await chown(join(folder, 'data'), user.uid, user.gid ?? 0);
  await chmod(folder, 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const env = () => ({
  PATH: join(folder, 'bin'),
  NODE_ENV: 'production',
  HOST: '0.0.0.0',
  PORT: '0',
  DATA_DIR: join(folder, 'data'),
});

function start(own: Record<string, string>): Program {
  const [command = '', ...options] = JSON.parse(argumentsOf('CMD')[0]?.join(' ') ?? '') as string[];
  return new Program(
    spawn(command, options, {
      cwd: app,
      env: { ...env(), ...own },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...user,
    }),
  );
}

test('what the image adds to its base is smaller than 150 MB and contains no Node', async () => {
  const { stdout } = await run('du', ['-sb', app]);
  expect(Number(stdout.split('\t')[0])).toBeLessThan(maxBytes);
  await expect(stat(join(app, 'node_modules/node'))).rejects.toThrow('ENOENT');
});

test('serves with production packages on its own Node, is healthy, and drains on SIGTERM', async () => {
  const program = start({ SANDBOX: 'true' });
  try {
    const client = await program.client();
    const { data } = await client.ask('{ voices { ... on VoiceList { nodes { id } } } }');
    expect(data).toMatchObject({
      voices: { nodes: expect.arrayContaining([{ id: expect.any(String) }]) },
    });
    const check = argumentsOf('HEALTHCHECK')[0] ?? [];
    const [command = '', ...options] = JSON.parse(check.slice(check.indexOf('CMD') + 1).join(' '));
    const port = new URL(await program.url()).port;
    const health = spawn(command, options, { env: { ...env(), PORT: port }, stdio: 'ignore' });
    expect(await once(health, 'exit')).toEqual([0, null]);
    const { code } = await program.kill('SIGTERM');
    expect(code).toBe(0);
    const unhealthy = spawn(command, options, { env: { ...env(), PORT: port }, stdio: 'ignore' });
    expect(await once(unhealthy, 'exit')).toEqual([1, null]);
  } finally {
    program.child.kill('SIGKILL');
  }
});

test('examines and backs up the installation with production packages', async () => {
  const options = { cwd: app, env: { ...env(), SANDBOX: 'true', PORT: '1' }, ...user };
  const file = join(folder, 'data/lipsync.backup');
  const { stdout } = await run(node, ['src/doctor.ts'], options);
  expect(stdout).toContain('The embedded database opens.');
  expect((await run(node, ['src/backup.ts', file], options)).stdout).toMatch(/^\d+ rows/);
  const restored = { ...options, env: { ...options.env, DATA_DIR: join(folder, 'data/restored') } };
  expect((await run(node, ['src/restore.ts', file], restored)).stdout).toMatch(/^\d+ rows/);
});

test('refuses to start in production without a token of the video service, and says which variable', async () => {
  const program = start({});
  expect(await program.exited).toEqual({ code: 1, signal: null });
  expect(program.output).toContain('USEAPI_TOKEN');
});
