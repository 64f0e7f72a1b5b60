import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { createLipsync, readVideoIds, withHeaders } from '../../support/lipsyncs.ts';
import { connectionKinds, type OpenStream, openStream } from '../../support/open-stream.ts';
import { type IdentityProvider, openIdentityProvider } from './identity-provider.ts';

const scopes = 'lipsync:read lipsync:write videos:read';
const hash = (key: string) => createHash('sha256').update(key).digest('hex');
const keyLine = (name: string, granted = scopes) => `${name}:${hash(name)}:${granted}\n`;

const clock = { aheadMs: 0 };
const now = () => new Date(Date.now() + clock.aheadMs);

const issuer = 'https://id.example.com';
const audience = 'lipsync';
const [kept, withdrawn] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')]);
const jwks = async (...names: ('kept' | 'withdrawn')[]) =>
  Promise.all(
    names.map(async (kid) => ({ kid, ...(await exportJWK({ kept, withdrawn }[kid].publicKey)) })),
  );

async function sign(kid: 'kept' | 'withdrawn', sub: string): Promise<string> {
  return new SignJWT({ scope: scopes, sub, iss: issuer, aud: audience })
    .setProtectedHeader({ alg: 'ES256', kid })
    .setExpirationTime('12h')
    .sign({ kept, withdrawn }[kid].privateKey);
}

let it: TestApp;
let provider: IdentityProvider;
let folder: string;
let video: string;
const writeKeys = (...lines: string[]) => writeFile(join(folder, 'keys.txt'), lines.join(''));
const as = (token: string) => ({ authorization: `Bearer ${token}` });

beforeAll(async () => {
  provider = await openIdentityProvider();
  provider.answer.keys = await jwks('kept', 'withdrawn');
  folder = await mkdtemp(join(tmpdir(), 'lipsync-keys-'));
  await writeKeys('# The front end\n', keyLine('web'), keyLine('spare'));
  it = await startTestApp({
    env: {
      AUTH_JWKS_URL: provider.url,
      AUTH_ISSUER: issuer,
      AUTH_AUDIENCE: audience,
      API_KEYS: `env:${hash('env')}:${scopes}`,
      API_KEYS_FILE: join(folder, 'keys.txt'),
      ALLOW_ANONYMOUS: 'false',
    },
    sandbox: { generatingMs: 3_600_000, accounts: [{ email: 'a@sandbox.example', maxJobs: 8 }] },
    now,
  });
  [video = ''] = await readVideoIds(withHeaders(it, as('env')));
});

afterAll(async () => {
  await it?.stop();
  provider?.close();
  await rm(folder, { recursive: true, force: true });
});

async function cancel(id: string, token: string): Promise<void> {
  const query = 'mutation ($id: ID!) { cancelLipsync(input: { id: $id }) { __typename } }';
  const { data } = await it.ask(query, { id }, as(token));
  expect(data?.cancelLipsync).toEqual({ __typename: 'LipsyncTrackingStopped' });
}

async function openAll(token: string): Promise<{ id: string; streams: OpenStream[] }> {
  const { id } = await createLipsync(withHeaders(it, as(token)), { video: { videoId: video } });
  const watching = { url: it.url, token, id };
  return {
    id,
    streams: await Promise.all(connectionKinds.map((kind) => openStream(kind, watching))),
  };
}

/** Moves the clock two seconds at a time until the condition is true. @returns the seconds that passed */
async function passUntil(isTrue: () => boolean): Promise<number> {
  const before = clock.aheadMs;
  await vi.waitFor(
    () => {
      if (isTrue()) return;
      clock.aheadMs += 2_000;
      throw new Error('Not yet.');
    },
    { timeout: 60_000, interval: 600 },
  );
  return (clock.aheadMs - before) / 1_000;
}

const signedIn = async (token: string) => {
  type Data = { viewer: { authenticated: boolean } };
  const { data } = await it.ask<Data>('{ viewer { authenticated } }', {}, as(token));
  return data?.viewer.authenticated;
};

const logged = (msg: RegExp) => it.logs.filter((line) => msg.test(line.msg ?? ''));

describe('works', () => {
  test('a stream ends when the scopes of its key change, and its client can sign in with the new ones', async () => {
    const { id, streams } = await openAll('spare');
    await writeKeys(keyLine('web'), keyLine('spare', 'lipsync:write lipsync:read'));
    const seconds = await passUntil(() => streams.every((stream) => !stream.isOpen()));
    expect(seconds).toBeLessThan(30);
    expect(await signedIn('spare')).toBe(true);
    await cancel(id, 'spare');
  });

  test('during an outage of the issuer streams stay open, and its tokens still sign in', async () => {
    const token = await sign('kept', 'ada');
    const { id, streams } = await openAll(token);
    provider.answer.status = 503;
    const before = logged(/last keys stay/).length;
    await passUntil(() => logged(/last keys stay/).length > before);
    clock.aheadMs += 3_600_000;
    await vi.waitFor(() => expect(logged(/last keys stay/).length).toBeGreaterThan(before + 1), {
      timeout: 60_000,
    });
    expect(await signedIn(token)).toBe(true);
    expect(streams.map((stream) => stream.isOpen())).toEqual(streams.map(() => true));
    await cancel(id, token);
    for (const stream of streams.filter((_, at) => connectionKinds[at] !== 'an idle WebSocket')) {
      await stream.completes();
    }
    provider.answer.status = 200;
    for (const stream of streams) stream.disconnect();
  });
});

describe('refuses', () => {
  test.each([
    [
      'that has an invalid line',
      `${keyLine('web')}spare:hunter2:admin\n`,
      'API_KEYS_FILE is invalid',
    ],
    ['that is missing', null, 'API_KEYS_FILE can not be read'],
  ])(
    'a new version of the key file %s: the keys of the last valid one stay in use',
    async (_, text, msg) => {
      await writeKeys(keyLine('web'), keyLine('spare'));
      const before = logged(/was read again/).length;
      await passUntil(() => logged(/was read again/).length > before);
      const { id, streams } = await openAll('spare');
      if (text === null) await rm(join(folder, 'keys.txt'));
      else await writeKeys(text);
      const rejection = new RegExp(msg);
      await passUntil(() => logged(rejection).length > 0);
      clock.aheadMs += 30_000;
      expect(await signedIn('spare')).toBe(true);
      await cancel(id, 'spare');
      for (const stream of streams.filter((_, at) => connectionKinds[at] !== 'an idle WebSocket')) {
        await stream.completes();
      }
      for (const stream of streams) stream.disconnect();
      expect(logged(rejection)).toMatchObject([{ level: 'error' }]);
      expect(JSON.stringify(logged(rejection))).not.toMatch(/hunter2|keys\.txt|[0-9a-f]{64}/);
    },
  );

  test.each([
    ['that is invalid', 'web:hunter2:admin', /API_KEYS_FILE entry 1 must be/],
    ['that is missing', null, /API_KEYS_FILE must be the path of a readable file/],
  ])('to start with a key file %s', async (_, text, message) => {
    const path = join(folder, 'first.txt');
    if (text !== null) await writeFile(path, text);
    const start = startTestApp({ env: { API_KEYS_FILE: path } });
    await expect(start).rejects.toThrow(message);
    await start.catch((error: Error) => expect(error.message).not.toMatch(/hunter2|first\.txt/));
    await rm(path, { force: true });
  });
});

describe('keeps out', () => {
  test('a key that was removed from the file, within half a minute, and no other key', async () => {
    await writeKeys(keyLine('web'), keyLine('spare'));
    const revoked = await openAll('spare');
    const others = [await openAll('web'), await openAll('env')];
    await writeKeys(keyLine('web'));
    const seconds = await passUntil(() => revoked.streams.every((stream) => !stream.isOpen()));
    expect(seconds).toBeLessThan(30);
    expect(await Promise.all(revoked.streams.map(({ ended }) => ended))).toEqual(
      connectionKinds.map((kind) => (kind.includes('WebSocket') ? 4403 : null)),
    );
    for (const stream of revoked.streams) expect(stream.isComplete()).toBe(false);
    expect(await signedIn('spare')).toBe(false);
    for (const { streams } of others) {
      expect(streams.map((stream) => stream.isOpen())).toEqual(streams.map(() => true));
      for (const stream of streams) stream.disconnect();
    }
  });

  test('tokens of a key that its issuer withdrew, within half a minute, and no other tokens', async () => {
    const [bad, good] = await Promise.all([sign('withdrawn', 'mallory'), sign('kept', 'ada')]);
    const revoked = await openAll(bad);
    const others = await openAll(good);
    provider.answer.keys = await jwks('kept');
    const seconds = await passUntil(() => revoked.streams.every((stream) => !stream.isOpen()));
    expect(seconds).toBeLessThan(30);
    expect(await Promise.all(revoked.streams.map(({ ended }) => ended))).toEqual(
      connectionKinds.map((kind) => (kind.includes('WebSocket') ? 4403 : null)),
    );
    expect([await signedIn(bad), await signedIn(good)]).toEqual([false, true]);
    expect(others.streams.map((stream) => stream.isOpen())).toEqual(
      connectionKinds.map(() => true),
    );
    for (const stream of others.streams) stream.disconnect();
  });
});
