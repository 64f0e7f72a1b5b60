import { createHash } from 'node:crypto';
import { getRequestListener } from '@hono/node-server';
import { makeLipsync, serverSentEvents } from 'lipsync-graphql-client';
import { createProxy } from 'lipsync-graphql-client/server';
import { createRequestHandler, type ServerBuild } from 'react-router';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LipsyncApp, startLipsyncApp } from '../../test/support/lipsync-app.ts';
import { openSite } from './site.ts';

const key = 'the-key-of-this-test';
const hash = createHash('sha256').update(key).digest('hex');

let app: LipsyncApp;
let origin: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    env: { API_KEYS: `web:${hash}:lipsync:read lipsync:write videos:read` },
  });
  const handler = createProxy({
    url: `${app.url}/graphql`,
    authenticate: ({ headers }) =>
      headers.get('cookie') === 'session=anna' ? { token: key } : null,
  });
  const action = ({ request }: { request: Request }) => handler(request);
  const handle = createRequestHandler(buildOf(action));
  const site = await openSite(getRequestListener((request) => handle(request)));
  origin = site.origin;
  return site.close;
});
afterAll(() => app?.stop());

/** What React Router's compiler makes of one route, `graphql`, that has an action and no component. */
function buildOf(action: (args: { request: Request }) => Promise<Response>): ServerBuild {
  const route = { id: 'graphql', path: 'graphql' };
  return {
    entry: { module: { default: () => new Response(null, { status: 404 }) } },
    routes: { graphql: { ...route, module: { action } as never } },
    assets: { entry: { imports: [], module: '' }, routes: {}, url: '', version: '' },
    publicPath: '/',
    assetsBuildDirectory: '',
    future: {},
    ssr: true,
    isSpaMode: false,
    prerender: [],
    routeDiscovery: { mode: 'initial', manifestPath: '/__manifest' },
  } as unknown as ServerBuild;
}

const pageOf = (session: string) => ({
  url: `${origin}/graphql`,
  headers: { cookie: `session=${session}` },
  transport: serverSentEvents(),
});

describe('React Router', () => {
  test('passes the requests and streams of a page on', async () => {
    const [videoId = ''] = await app.listVideoIds(undefined, { authorization: `Bearer ${key}` });
    const input = { video: { videoId }, speech: { script: { text: 'Hello.' } } };
    expect((await makeLipsync(pageOf('anna'), input)).outcome).toBe('COMPLETED');
    expect(await makeLipsync(pageOf('nobody'), input)).toMatchObject({
      outcome: 'REFUSED',
      failure: { code: 'NOT_AUTHENTICATED' },
    });
  });
});
