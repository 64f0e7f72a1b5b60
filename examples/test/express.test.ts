import { createHash } from 'node:crypto';
import {
  createLipsync,
  makeLipsync,
  serverSentEvents,
  viewer,
  watchLipsync,
} from 'lipsync-graphql-client';
import type { VerifiedWebhook } from 'lipsync-graphql-client/server';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type LipsyncApp, startLipsyncApp } from '../../test/support/lipsync-app.ts';
import { createApp } from '../express.ts';
import { openSite } from './site.ts';

const key = 'the-key-of-this-test';
const hash = createHash('sha256').update(key).digest('hex');
const headers = { authorization: `Bearer ${key}` };

let app: LipsyncApp;
let origin: string;
const webhooks: VerifiedWebhook[] = [];
beforeAll(async () => {
  const scopes = 'lipsync:read lipsync:write videos:read';
  app = await startLipsyncApp({
    env: { API_KEYS: `web:${hash}:${scopes}`, STREAMS_PER_CALLER: '100' },
  });
  const { data } = await app.ask<{ rotateWebhookSecret: { secret: string } }>(
    'mutation { rotateWebhookSecret { ... on RotateWebhookSecretSuccess { secret } } }',
    {},
    headers,
  );
  const site = await openSite(
    createApp({
      url: `${app.url}/graphql`,
      authenticate: (request) =>
        request.headers.get('cookie') === 'session=anna' ? { token: key } : null,
      webhookSecret: data?.rotateWebhookSecret.secret ?? '',
      onWebhook: (webhook) => void webhooks.push(webhook),
    }),
  );
  origin = site.origin;
  return site.close;
});
afterAll(() => app?.stop());

const pageOf = (session: string) => ({
  url: `${origin}/graphql`,
  headers: { cookie: `session=${session}` },
  transport: serverSentEvents(),
});

const inputOf = async (text: string) => {
  const [videoId = ''] = await app.listVideoIds(undefined, headers);
  return { video: { videoId }, speech: { script: { text } } };
};

describe('Express', () => {
  test('passes the requests and streams of a page on, and takes the webhook of the end', async () => {
    const input = { ...(await inputOf('Hello.')), callbackUrl: `${origin}/lipsyncs` };
    const end = await makeLipsync(pageOf('anna'), input);
    expect(end.outcome).toBe('COMPLETED');
    await vi.waitFor(() => expect(webhooks).toMatchObject([{ type: 'lipsync.completed' }]), {
      timeout: 60_000,
    });
  });

  test('ends the stream at the server when the page is closed', async () => {
    const page = pageOf('anna');
    const created = await createLipsync(page, await inputOf('[[never]] Hello.'));
    const updates = watchLipsync(page, 'lipsync' in created ? created.lipsync.id : '');
    await updates.next();
    const openStreams = async () =>
      ((await viewer(page)) as { openStreams: { used: number } }).openStreams.used;
    expect(await openStreams()).toBe(1);
    await updates.return?.();
    await vi.waitFor(async () => expect(await openStreams()).toBe(0), { timeout: 60_000 });
  });

  test('answers a visitor without a session and a forged webhook with 401', async () => {
    const post = async (path: string) => {
      const body = '{"query":"{ viewer { name } }"}';
      const type = { 'content-type': 'application/json' };
      return (await fetch(`${origin}${path}`, { method: 'POST', headers: type, body })).status;
    };
    expect(await post('/graphql')).toBe(401);
    expect(await post('/lipsyncs')).toBe(401);
  });
});
