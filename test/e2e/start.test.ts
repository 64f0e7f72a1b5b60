import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { fakeToken } from '../support/fake-upstream/behaviour.ts';
import { RawWebSocket } from '../support/raw-websocket.ts';
import { usePrograms } from './programs.ts';

const root = join(import.meta.dirname, '../..');
const programs = usePrograms();

describe('refuses to start', () => {
  const wrong = {
    USEAPI_TOKEN: 'user:31-tokenthatnobodymaysee',
    PORT: 'eighty-hundred',
    LOG_LEVEL: 'chatty',
    DATABASE_URL: 'mysql://root:hunter2@db.internal/lipsync',
    AUTH_JWT_SECRET: 'short-jwt-secret',
    AUTH_JWKS_URL: 'ftp://issuer.internal/keys',
    API_KEYS: 'ops:not-a-digest-at-all:admin',
    CALLBACK_SECRET: 'tiny-secret',
    CORS_ORIGINS: 'not an origin',
    QUEUE_LIMIT: '-4',
    TRUSTED_DOCUMENTS: '/nowhere/documents.json',
    API_KEYS_FILE: '/nowhere/keys.txt',
  };

  test('with a wrong configuration, listing every mistake and no value', async () => {
    const program = programs.start({ ...wrong, DATA_DIR: programs.dataDir });
    expect(await program.exited).toEqual({ code: 1, signal: null });
    const names = [...Object.keys(wrong), 'AUTH_ISSUER', 'AUTH_AUDIENCE'];
    for (const name of names.filter((each) => each !== 'USEAPI_TOKEN')) {
      expect(program.output).toMatch(new RegExp(`^\\s*${name}\\b`, 'm'));
    }
    for (const value of Object.values(wrong)) expect(program.output).not.toContain(value);
    expect(program.output).not.toMatch(/hunter2|^\s+at /m);
  });

  test('in production without a token', async () => {
    const program = programs.start({
      NODE_ENV: 'production',
      DATA_DIR: programs.dataDir,
      PORT: '0',
    });
    expect((await program.exited).code).toBe(1);
    expect(program.output).toMatch(/USEAPI_TOKEN.*SANDBOX=true/);
  });

  test('in live mode without authentication, naming ALLOW_ANONYMOUS', async () => {
    const program = programs.startLive({ ALLOW_ANONYMOUS: '' });
    expect((await program.exited).code).toBe(1);
    expect(program.output).toContain('ALLOW_ANONYMOUS=true');
    expect(program.output).not.toContain(fakeToken);
    expect(programs.upstream.requests).toEqual([]);
  });

  test('on a folder that another process uses, and leaves that process alone', async () => {
    const first = programs.startLive();
    const client = await first.client();
    const second = programs.startLive();
    expect((await second.exited).code).toBe(1);
    expect(second.output).toMatch(/DATA_DIR|in use|another process/i);
    expect(second.output).toContain(programs.dataDir);
    expect(second.output).not.toMatch(/^\s+at /m);
    expect((await client.ask('{ viewer { name } }')).data).toEqual({
      viewer: { name: 'anonymous' },
    });
  });

  test('on a port in use, without a stack trace', async () => {
    const taken = new URL(programs.upstream.baseUrl).port;
    const program = programs.startLive({ PORT: taken });
    expect((await program.exited).code).toBe(1);
    expect(program.output).toContain(taken);
    expect(program.output).not.toMatch(/^\s+at /m);
  });
});

describe('starts', () => {
  test('and reads the accounts once: 200 simultaneous queries for voices cost one more upstream call', async () => {
    const program = programs.startLive();
    const url = await program.url();
    await expect
      .poll(() => programs.upstream.requests.map((seen) => seen.url))
      .toEqual([expect.anything()]);
    const release = programs.upstream.hold('GET /videos/voices');
    const sockets = await Promise.all(Array.from({ length: 4 }, () => RawWebSocket.open(url)));
    const ids = Array.from({ length: 50 }, (_, at) => `voices ${at}`);
    for (const socket of sockets) {
      for (const id of ids) socket.subscribe(id, '{ voices { __typename } }');
      // The answer to this later operation shows that all earlier ones were received.
      socket.subscribe('viewer', '{ viewer { name } }');
    }
    const answerTo = (socket: RawWebSocket, asked: string) =>
      socket.message(({ id, type }) => id === asked && type === 'next');
    await Promise.all(sockets.map((socket) => answerTo(socket, 'viewer')));
    release();
    for (const socket of sockets) {
      for (const id of ids) {
        const { payload } = await answerTo(socket, id);
        expect(payload?.data).toEqual({ voices: { __typename: 'VoiceList' } });
      }
      socket.socket.close();
    }
    expect(programs.upstream.requests.map((seen) => `${seen.method} ${seen.url}`)).toEqual([
      'GET /v2/pixverse/accounts',
      'GET /v2/pixverse/videos/voices/',
    ]);
  });

  test('and logs at once that the upstream refuses the token', async () => {
    programs.upstream.reply('GET /accounts', { status: 401, body: '{"error":"Unauthorized"}' });
    const program = programs.startLive();
    const line = await program.line(({ code }) => code === 'UPSTREAM_UNAUTHORIZED');
    expect(line).toMatchObject({
      level: 'warn',
      msg: expect.stringContaining('refused the credentials of this server'),
    });
    expect((await (await program.client()).ask('{ viewer { name } }')).status).toBe(200);
  });
});

describe('stops on SIGTERM', () => {
  test('when idle', async () => {
    const program = programs.startLive();
    await program.url();
    expect(await program.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(program.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('the Node that npm uses', () => {
  test('is the version of .nvmrc, independent of the host', async () => {
    const path = (process.env.PATH ?? '')
      .split(delimiter)
      .filter((folder) => !folder.includes('node_modules'))
      .join(delimiter);
    const tell =
      "if (process.argv[1]?.endsWith('main.ts')) { console.log('runs on ' + process.versions.node); process.exit(0); }";
    const { stdout } = await promisify(execFile)('npm', ['run', 'start'], {
      cwd: root,
      env: {
        PATH: path,
        HOME: programs.dataDir,
        NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tell)}`,
      },
    });
    const wanted = (await readFile(join(root, '.nvmrc'), 'utf8')).trim();
    expect(stdout).toMatch(new RegExp(`runs on ${wanted}\\.`));
  });
});
