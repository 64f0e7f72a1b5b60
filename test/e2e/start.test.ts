import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type TestStorage, testStorage } from '../support/database.ts';
import { fakeToken } from '../support/fake-upstream/behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../support/fake-upstream/server.ts';
import type { GraphQLClient } from '../support/graphql-client.ts';
import { createLipsync, createLipsyncMutation, readVideoIds } from '../support/lipsyncs.ts';
import { openStream } from '../support/open-stream.ts';
import { type Program, startProgram } from '../support/program.ts';
import { RawWebSocket } from '../support/raw-websocket.ts';

const root = join(import.meta.dirname, '../..');
const email = 'night+shift@operators.example';

let storage: TestStorage;
let dataDir: string;
let upstream: FakeUpstream;
const running = new Set<Program>();

function start(env: Record<string, string>): Program {
  const program = startProgram(env);
  running.add(program);
  return program;
}

/** In live mode, on the fake upstream and this test's own folder. */
function startLive(env: Record<string, string> = {}): Program {
  return start({
    USEAPI_TOKEN: fakeToken,
    USEAPI_BASE_URL: upstream.baseUrl,
    ALLOW_ANONYMOUS: 'true',
    DATA_DIR: dataDir,
    PORT: '0',
    POLL_INTERVAL_MS: '800',
    ...env,
  });
}

beforeEach(async () => {
  // A copy of an empty database: creating one takes the program seconds.
  storage = await testStorage();
  dataDir = storage.dataDir;
  upstream = await startFakeUpstream({
    accounts: [{ email, maxJobs: 3 }],
    callbacks: 'none',
    schedulerId: 'id',
  });
  upstream.addVideo(email, 'a face');
});

afterEach(async () => {
  for (const program of running) await program.kill('SIGKILL');
  running.clear();
  await upstream.close();
  await storage.remove();
});

/** Read before a POST is held: the read of the videos would wait behind a program that stops. */
const newestVideo = async (client: GraphQLClient) => ({ id: (await readVideoIds(client)).at(-1) });

const watchDocument =
  'subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { sequence status } } }';

/** A WebSocket whose subscription to a lip-sync has received its first event. */
async function openSocket(url: string, id: string): Promise<RawWebSocket> {
  const socket = await RawWebSocket.open(url);
  socket.subscribe('1', watchDocument, { id });
  await socket.message(({ type }) => type === 'next');
  return socket;
}

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
    const program = start({ ...wrong, DATA_DIR: dataDir });
    expect(await program.exited).toEqual({ code: 1, signal: null });
    const names = [...Object.keys(wrong), 'AUTH_ISSUER', 'AUTH_AUDIENCE'];
    for (const name of names.filter((each) => each !== 'USEAPI_TOKEN')) {
      expect(program.output).toMatch(new RegExp(`^\\s*${name}\\b`, 'm'));
    }
    for (const value of Object.values(wrong)) expect(program.output).not.toContain(value);
    expect(program.output).not.toMatch(/hunter2|^\s+at /m);
  });

  test('in production without a token', async () => {
    const program = start({ NODE_ENV: 'production', DATA_DIR: dataDir, PORT: '0' });
    expect((await program.exited).code).toBe(1);
    expect(program.output).toMatch(/USEAPI_TOKEN.*SANDBOX=true/);
  });

  test('in live mode without authentication, naming ALLOW_ANONYMOUS', async () => {
    const program = startLive({ ALLOW_ANONYMOUS: '' });
    expect((await program.exited).code).toBe(1);
    expect(program.output).toContain('ALLOW_ANONYMOUS=true');
    expect(program.output).not.toContain(fakeToken);
    expect(upstream.requests).toEqual([]);
  });

  test('on a folder that another process uses, and leaves that process alone', async () => {
    const first = startLive();
    const client = await first.client();
    const second = startLive();
    expect((await second.exited).code).toBe(1);
    expect(second.output).toMatch(/DATA_DIR|in use|another process/i);
    expect(second.output).toContain(dataDir);
    expect(second.output).not.toMatch(/^\s+at /m);
    expect((await client.ask('{ viewer { name } }')).data).toEqual({
      viewer: { name: 'anonymous' },
    });
  });

  test('on a port in use, without a stack trace', async () => {
    const taken = new URL(upstream.baseUrl).port;
    const program = startLive({ PORT: taken });
    expect((await program.exited).code).toBe(1);
    expect(program.output).toContain(taken);
    expect(program.output).not.toMatch(/^\s+at /m);
  });
});

describe('starts', () => {
  test('and reads the accounts once: 200 simultaneous queries for voices cost one more upstream call', async () => {
    const program = startLive();
    const url = await program.url();
    await expect.poll(() => upstream.requests.map((seen) => seen.url)).toEqual([expect.anything()]);
    const release = upstream.hold('GET /videos/voices');
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
    expect(upstream.requests.map((seen) => `${seen.method} ${seen.url}`)).toEqual([
      'GET /v2/pixverse/accounts',
      'GET /v2/pixverse/videos/voices/',
    ]);
  });

  test('and logs at once that the upstream refuses the token', async () => {
    upstream.reply('GET /accounts', { status: 401, body: '{"error":"Unauthorized"}' });
    const program = startLive();
    const line = await program.line(({ code }) => code === 'UPSTREAM_UNAUTHORIZED');
    expect(line).toMatchObject({
      level: 'warn',
      msg: expect.stringContaining('refused the credentials of this server'),
    });
    expect((await (await program.client()).ask('{ viewer { name } }')).status).toBe(200);
  });
});

describe('stops on SIGTERM', () => {
  test('with 1012 on WebSockets, no complete on streams and 503 on /readyz, once the POST under way has its answer', async () => {
    const program = startLive();
    const url = await program.url();
    const client = await program.client();
    const video = await newestVideo(client);
    const { id } = await createLipsync(client, { video, text: 'One.' });
    const [socket, stream] = await Promise.all([
      openSocket(url, id),
      openStream('SSE by GET', { url, id }),
    ]);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const release = upstream.hold('POST /videos/lipsync');
    const second = createLipsync(client, { video, text: 'Two.' });
    await untilPosted(2);

    program.child.kill('SIGTERM');
    await program.line(({ msg }) => msg === 'stopping');
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    release();

    expect((await second).status).toBe('SUBMITTED');
    expect((await socket.closed).code).toBe(1012);
    await stream.ended;
    const text = stream.text();
    expect(text).toMatch(/^retry: \d+\n/);
    expect(text).not.toContain('complete');
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  test('without a POST for operations that arrive on an open socket afterwards', async () => {
    const program = startLive();
    const url = await program.url();
    const client = await program.client();
    const video = await newestVideo(client);
    const { id } = await createLipsync(client, { video, text: 'One.' });
    const socket = await openSocket(url, id);
    const release = upstream.hold('POST /videos/lipsync');
    const second = createLipsync(client, { video, text: 'Two.' });
    await untilPosted(2);
    program.child.kill('SIGTERM');
    await program.line(({ msg }) => msg === 'stopping');

    const input = { video, speech: { text: { text: 'Too late.' } } };
    socket.subscribe('late', createLipsyncMutation, { input });
    const isSettled = () =>
      socket.messages.some((message) => message.id === 'late') ||
      socket.socket.readyState !== WebSocket.OPEN ||
      upstream.countOf('POST /videos/lipsync') > 2;
    await expect.poll(isSettled, { timeout: 5_000 }).toBe(true);
    release();
    await Promise.all([second, socket.closed]);
    expect((await program.exited).code).toBe(0);
    expect(upstream.countOf('POST /videos/lipsync')).toBe(2);
  });

  test('when idle', async () => {
    const program = startLive();
    await program.url();
    expect(await program.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(program.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('and after a restart a stream resumes after its last event', async () => {
    const before = startLive();
    const client = await before.client();
    const { id } = await createLipsync(client, { text: 'One.' });
    const job = await upstream.nextJob();
    let last: string | null = null;
    let sequence = 0;
    for await (const event of client.watchSse<{ lipsyncProgress: { sequence: number } }>(
      watchDocument,
      { id },
    )) {
      last = event.id;
      sequence = event.data.data?.lipsyncProgress.sequence ?? 0;
      break;
    }
    await before.kill('SIGTERM');
    await job.become(1);

    const again = await startLive().client();
    const headers = { 'last-event-id': last ?? '' };
    const events: { sequence: number; status: string }[] = [];
    for await (const event of again.watchSse<{
      lipsyncProgress: { sequence: number; status: string };
    }>(watchDocument, { id }, { headers })) {
      if (event.data.data) events.push(event.data.data.lipsyncProgress);
    }
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, at) => sequence + 1 + at));
    expect(events.at(-1)?.status).toBe('COMPLETED');
  });
});

describe('starts again after kill -9', () => {
  test('and finishes running and submitting lip-syncs with one POST each', async () => {
    const before = startLive();
    const client = await before.client();
    const video = await newestVideo(client);
    const { id: runningId } = await createLipsync(client, { video, text: 'Running.' });
    const runningJob = await upstream.nextJob();
    const release = upstream.hold('POST /videos/lipsync');
    const lost = createLipsync(client, { video, text: 'On its way.' }).catch(() => null);
    await untilPosted(2);
    await before.kill('SIGKILL');
    await lost;
    release();
    const lostJob = await upstream.nextJob();
    await lostJob.become(10);

    const again = await startLive().client();
    const list = await again.ask<{ lipsyncs: { nodes: { id: string; status: string }[] } }>(
      '{ lipsyncs { nodes { id status } } }',
    );
    const ids = list.data?.lipsyncs.nodes.map(({ id }) => id) ?? [];
    expect(ids.length).toBe(2);
    expect(ids).toContain(runningId);
    const ends = ids.map(async (id) => {
      const statuses: string[] = [];
      for await (const { data: event } of again.watchWs<{ lipsyncProgress: { status: string } }>(
        watchDocument,
        { id },
      )) {
        if (event) statuses.push(event.lipsyncProgress.status);
        if (statuses.at(-1) === 'GENERATING') await lostJob.become(1);
      }
      return statuses.at(-1);
    });
    await runningJob.become(1);
    expect(await Promise.all(ends)).toEqual(['COMPLETED', 'COMPLETED']);
    expect(upstream.countOf('POST /videos/lipsync')).toBe(2);
  });
});

/** Resolves once the upstream has so many POSTs of a lip-sync, answered or not. */
async function untilPosted(count: number): Promise<void> {
  await expect.poll(() => upstream.countOf('POST /videos/lipsync')).toBe(count);
}

describe('the Node that npm uses', () => {
  test('is the version of .nvmrc, independent of the host', async () => {
    const path = (process.env.PATH ?? '')
      .split(delimiter)
      .filter((folder) => !folder.includes('node_modules'))
      .join(delimiter);
    const printVersion =
      "if (process.argv[1]?.endsWith('main.ts')) { console.log('runs on ' + process.versions.node); process.exit(0); }";
    const { stdout } = await promisify(execFile)('npm', ['run', 'start'], {
      cwd: root,
      env: {
        PATH: path,
        HOME: dataDir,
        NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(printVersion)}`,
      },
    });
    const wanted = (await readFile(join(root, '.nvmrc'), 'utf8')).trim();
    expect(stdout).toMatch(new RegExp(`runs on ${wanted}\\.`));
  });
});
