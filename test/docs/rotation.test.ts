import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openReceiver, type Received, verify } from '../domains/webhooks/webhook-receiver.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestStorage, testStorage } from '../support/database.ts';
import { startFakeUpstream } from '../support/fake-upstream/server.ts';
import { createLipsync, longWait, readLipsync, withHeaders } from '../support/lipsyncs.ts';
import { createUpload } from '../support/uploads.ts';
import { wavHeader } from '../support/wav.ts';
import { commandsIn, pageOf } from './pages.ts';

/*
 * Runs the commands of docs/rotation.md as they are written, in a folder with a `.env` and a `keys.txt`, and asks as the
 * callers do after each of them.
 */
const run = promisify(execFile);
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

const commands = pageOf('docs/rotation.md')
  .blocks.filter(({ language }) => language === 'sh')
  .flatMap(commandsIn);

/** In the place of the page's `<…>`. */
const values: Record<string, string> = {
  'hash of the old key': hashOf('the-old-key'),
  'hash of the new key': hashOf('the-new-key'),
  'old JWT secret': 'the old secret of JWTs, with 32 bytes'.replace(',', ''),
  'new JWT secret': 'the new secret of JWTs with 32 bytes',
  'old callback secret': 'the old callback secret',
  'new callback secret': 'the new callback secret',
  'new token': 'user:1-new',
  'new metrics token': 'the-new-metrics-token',
};
const textFor = (name: string) => values[name] ?? '';

let folder: string;
let storage: TestStorage;
let app: TestApp | null = null;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lipsync-rotation-'));
  storage = await testStorage();
  const scopes = 'lipsync:read lipsync:write videos:read';
  await writeFile(join(folder, 'keys.txt'), `web:${textFor('hash of the old key')}:${scopes}\n`);
  await writeFile(
    join(folder, '.env'),
    `AUTH_JWT_SECRET=${textFor('old JWT secret')}\nCALLBACK_SECRET=${textFor('old callback secret')}\nUSEAPI_TOKEN=user:1-old\nMETRICS_TOKEN=the-old-metrics-token\n`,
  );
});
afterEach(async () => {
  await app?.stop();
  app = null;
  await storage.remove();
  await rm(folder, { recursive: true, force: true });
});

const readEnv = async () => parseEnv(await readFile(join(folder, '.env'), 'utf8'));

/** @param baseUrl of an upstream that is asked with the token of `.env`. Default: a sandbox. */
async function restart(baseUrl?: string): Promise<TestApp> {
  await app?.stop();
  const { USEAPI_TOKEN: token = '', ...env } = await readEnv();
  app = await startTestApp({
    storage,
    ...(baseUrl === undefined ? {} : { upstream: { baseUrl, token } }),
    env: {
      API_KEYS_FILE: join(folder, 'keys.txt'),
      ALLOW_ANONYMOUS: 'false',
      OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1/32',
      ...env,
    } as Record<string, string>,
  });
  return app;
}

/** The commands of the page that tests of this file ran. */
const ran = new Set<string>();

/** Runs the only command of the page with these words, and returns what it printed. */
async function command(...words: string[]): Promise<string> {
  const found = commands.filter((each) => words.every((word) => each.includes(word)));
  expect(found).toHaveLength(1);
  const filled = found[0]?.replaceAll(/<([^>]+)>/g, (_, name: string) => {
    expect(Object.keys(values)).toContain(name);
    return textFor(name);
  });
  const { stdout } = await run('sh', ['-c', filled ?? ''], { cwd: folder });
  ran.add(found[0] ?? '');
  return stdout;
}

async function isAccepted(token: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  type Data = { viewer: { authenticated: boolean } };
  const answer = await app?.ask<Data>('{ viewer { authenticated } }', {}, headers);
  return answer?.data?.viewer.authenticated === true;
}

const signWith = (secret: string) =>
  new SignJWT({ sub: 'ann', scope: 'lipsync:read lipsync:write', exp: 4_000_000_000 })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));

describe('the commands of docs/rotation.md', () => {
  test('a new key is printed with its hash, and differs each time', async () => {
    const [key = '', hash] = (await command('node -p')).trim().split(' ');
    expect(key).toMatch(/^[\w-]{32}$/);
    expect(hash).toBe(hashOf(key));
    expect(await command('node -p')).not.toContain(key);
  });

  test('an API key and its successor are valid together, and own the same lip-syncs', async () => {
    const { id } = await createLipsync(
      withHeaders(await restart(), { authorization: 'Bearer the-old-key' }),
    );
    await command('>> keys.txt');
    await vi.waitFor(async () => expect(await isAccepted('the-new-key')).toBe(true), longWait);
    expect(await isAccepted('the-old-key')).toBe(true);
    const asNew = withHeaders(app as TestApp, { authorization: 'Bearer the-new-key' });
    expect(await readLipsync(asNew, id)).toMatchObject({ id });
    await command('/d', 'keys.txt');
    await vi.waitFor(async () => expect(await isAccepted('the-old-key')).toBe(false), longWait);
    expect(await isAccepted('the-new-key')).toBe(true);
  });

  test('tokens of a JWT secret and of its successor are valid together', async () => {
    const tokens = {
      old: await signWith(textFor('old JWT secret')),
      new: await signWith(textFor('new JWT secret')),
    };
    const verdicts = async () => [await isAccepted(tokens.old), await isAccepted(tokens.new)];
    await restart();
    expect(await verdicts()).toEqual([true, false]);
    await command('AUTH_JWT_SECRET', '&,');
    await restart();
    expect(await verdicts()).toEqual([true, true]);
    await command('AUTH_JWT_SECRET=<');
    await restart();
    expect(await verdicts()).toEqual([false, true]);
  });

  test('addresses that the old callback secret signed are valid until it is removed', async () => {
    const owner = { authorization: 'Bearer the-old-key' };
    const audio = Buffer.concat([wavHeader(1_600), Buffer.alloc(1_600)]);
    const send = async (path: string) =>
      (await fetch(`${app?.url}${path}`, { method: 'PUT', body: audio })).status;
    const issue = async () => {
      const { url } = await createUpload(withHeaders(app as TestApp, owner));
      return new URL(url).pathname;
    };
    await restart();
    const [first, second] = [await issue(), await issue()];
    await command('CALLBACK_SECRET', '&,');
    await restart();
    expect(await send(first)).toBe(200);
    await command('CALLBACK_SECRET', ',<old');
    await restart();
    expect(await send(second)).toBe(200);
    const third = await issue();
    await command('CALLBACK_SECRET=<new callback secret>/');
    await restart();
    expect(await send(third)).toBe(200);
    expect(await send(first)).toBe(404);
  });

  test('the same for keys of API_KEYS, with restarts', async () => {
    const old = `web:${textFor('hash of the old key')}:lipsync:read lipsync:write`;
    await writeFile(join(folder, '.env'), `API_KEYS=${old}\nAPI_KEYS_FILE=\n`);
    const verdicts = async () => [await isAccepted('the-old-key'), await isAccepted('the-new-key')];
    await restart();
    expect(await verdicts()).toEqual([true, false]);
    await command('API_KEYS=.*/&,');
    await restart();
    expect(await verdicts()).toEqual([true, true]);
    await command('API_KEYS=.*/API_KEYS=');
    await restart();
    expect(await verdicts()).toEqual([false, true]);
  });

  test('Prometheus is let in with the old and with the new token of /metrics', async () => {
    const statusWith = async (token: string) =>
      (await fetch(`${app?.url}/metrics`, { headers: { authorization: `Bearer ${token}` } }))
        .status;
    const verdicts = async () => [
      await statusWith('the-old-metrics-token'),
      await statusWith('the-new-metrics-token'),
      await statusWith('the-old-metrics-token,the-new-metrics-token'),
    ];
    await restart();
    expect(await verdicts()).toEqual([200, 401, 401]);
    await command('METRICS_TOKEN', '&,');
    await restart();
    expect(await verdicts()).toEqual([200, 200, 401]);
    await command('METRICS_TOKEN=<');
    await restart();
    expect(await verdicts()).toEqual([401, 200, 401]);
  });

  test('every call to the video service has the new token after the restart, and none the old one', async () => {
    const upstream = await startFakeUpstream();
    const tokens = () =>
      new Set(upstream.requests.splice(0).map(({ headers }) => headers.authorization));
    try {
      await restart(upstream.baseUrl);
      await vi.waitFor(() => expect(tokens()).toEqual(new Set(['Bearer user:1-old'])), longWait);
      await command('USEAPI_TOKEN');
      await restart(upstream.baseUrl);
      await vi.waitFor(() => expect(upstream.requests.length).toBeGreaterThan(0), longWait);
      tokens();
      const headers = { authorization: 'Bearer the-old-key' };
      await app?.ask('{ voices { ... on VoiceList { nodes { id } } } }', {}, headers);
      expect(tokens()).toEqual(new Set(['Bearer user:1-new']));
    } finally {
      await app?.stop();
      app = null;
      await upstream.close();
    }
  });

  test('a webhook has a signature of the old and of the new secret of its owner', async () => {
    const receiver = await openReceiver();
    const headers = { authorization: 'Bearer the-old-key' };
    const [{ text: mutation = '' } = {}] = pageOf('docs/rotation.md').blocks.filter(
      ({ language }) => language === 'graphql',
    );
    try {
      await restart();
      const rotate = async () => {
        type Data = { rotateWebhookSecret: { secret: string } };
        const { data } = (await app?.ask<Data>(mutation, {}, headers)) ?? {};
        return data?.rotateWebhookSecret.secret ?? '';
      };
      const [old, successor] = [await rotate(), await rotate()];
      expect(new Set([old, successor, '']).size).toBe(3);
      await createLipsync(withHeaders(app as TestApp, headers), { callbackUrl: receiver.url });
      await receiver.until(1);
      const [request] = receiver.received;
      for (const secret of [old, successor]) {
        expect(verify(secret, request as Received)).toMatchObject({ type: expect.any(String) });
      }
    } finally {
      receiver.close();
    }
  });

  test('all commands of the page were run', () => {
    // That of the database needs PostgreSQL: test/e2e/instances/rotation.test.ts.
    const own = commands.filter((each) => !each.includes('DATABASE_URL'));
    expect(own.length).toBe(commands.length - 1);
    expect(own.filter((each) => !ran.has(each))).toEqual([]);
  });
});
