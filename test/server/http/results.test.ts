import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signToken } from '../../../src/callbacks/token.ts';
import { keyOf } from '../../../src/graphql/ids.ts';
import { sendRequest } from '../../support/http.ts';
import {
  apiKeys,
  idOf,
  type LipsyncApp,
  signInAs,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';

const secret = 'a secret of this test that is long enough';
const env = {
  CALLBACK_SECRET: secret,
  API_KEYS: apiKeys('ann'),
  ALLOW_ANONYMOUS: 'false',
};
const ann = signInAs('ann');

type Result = { id: string; url: string | null; permanentUrl: string | null };

let app: LipsyncApp;
beforeAll(async () => {
  app = await startLipsyncApp({ env });
});
afterAll(() => app.stop());

const readResult = async (at: LipsyncApp, id: string) => {
  const query = 'query ($id: ID!) { lipsync(id: $id) { result { id url permanentUrl } } }';
  return (await at.askForData<{ lipsync: { result: Result } }>(query, { id }, ann)).lipsync.result;
};

async function make(at: LipsyncApp): Promise<Result> {
  const [videoId] = await at.listVideoIds(undefined, ann);
  const id = idOf(await at.create({ video: { videoId }, text: 'Good evening.' }, ann));
  await at.waitForEnd(id, ann);
  return readResult(at, id);
}

const open = (url: string | null, init: RequestInit = {}) =>
  fetch(url ?? 'about:blank', { redirect: 'manual', ...init });

describe('works', () => {
  it.each(['GET', 'HEAD'])(
    '%s redirects a client that has the link to the file',
    async (method) => {
      const { url, permanentUrl } = await make(app);
      expect(permanentUrl).toMatch(new RegExp(`^${app.url}/results/[\\w.-]+$`));
      const answer = await open(permanentUrl, { method });
      expect([answer.status, answer.headers.get('location')]).toEqual([302, url]);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect((await fetch(permanentUrl ?? '')).headers.get('content-type')).toMatch(/^video\//);
    },
  );

  it('reads the address again when it is older than READ_FRESH_MS', async () => {
    const { id, url, permanentUrl } = await make(app);
    const upstreamId = await app.services.videos.ids.toUpstream(keyOf('Video', id) ?? '');
    const { baseUrl, token } = app.sandbox;
    await open(permanentUrl);
    const read = await fetch(`${baseUrl}/videos/${upstreamId}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const item = (await read.json()) as { url: string };
    expect(item.url).toBe(url);
    const moved = 'https://elsewhere.example/moved.mp4';
    const answer = { path: '/videos/*', action: 'answer', status: 200, times: 100 };
    await app.turn({ failPath: { ...answer, method: 'GET', body: { ...item, url: moved } } });
    try {
      expect((await open(permanentUrl)).headers.get('location')).toBe(url);
      app.clock.aheadMs += 5_001;
      expect((await open(permanentUrl)).headers.get('location')).toBe(moved);
    } finally {
      await app.turn({ failPath: null });
    }
    const countReads = async () =>
      (await app.requests()).filter((request) => request.path.startsWith('/videos')).length;
    const before = await countReads();
    expect((await open(permanentUrl)).headers.get('location')).toBe(moved);
    expect(await countReads()).toBe(before);
  });

  it('redirects to the address that is stored while the video service fails', async () => {
    const { url, permanentUrl } = await make(app);
    app.clock.aheadMs += 5_001;
    await app.turn({ burst5xx: 1_000 });
    try {
      expect((await open(permanentUrl)).headers.get('location')).toBe(url);
    } finally {
      await app.turn({ burst5xx: null });
    }
  });

  it('redirects to the address that is stored after the account was removed', async () => {
    const other = await startLipsyncApp({ env });
    try {
      const { id, url, permanentUrl } = await make(other);
      const upstreamId = await other.services.videos.ids.toUpstream(keyOf('Video', id) ?? '');
      const email = /-pixverse:(.+)-video:/.exec(upstreamId ?? '')?.[1] ?? '';
      const { baseUrl, token } = other.sandbox;
      const removed = await fetch(`${baseUrl}/accounts/${encodeURIComponent(email)}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}` },
      });
      expect(removed.ok).toBe(true);
      // The list of accounts is at most a minute old.
      other.clock.aheadMs += 61_000;
      expect((await open(permanentUrl)).headers.get('location')).toBe(url);
    } finally {
      await other.stop();
    }
  });

  it('from a link or a page of another site', async () => {
    const { permanentUrl } = await make(app);
    for (const mode of ['navigate', 'no-cors']) {
      const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': mode };
      const path = new URL(permanentUrl ?? '').pathname;
      const answer = await sendRequest(app.url, { path, headers });
      expect(answer.status).toBe(302);
      expect(answer.headers['cross-origin-resource-policy']).toBe('cross-origin');
    }
  });

  it('with a link that was signed with a secret that is still listed', async () => {
    const { id, url } = await make(app);
    const before = 'the secret before this one and long too';
    const key = keyOf('Video', id) ?? '';
    const path = `/results/${signToken([before], { purpose: 'result', id: key })}`;
    expect((await open(app.url + path)).status).toBe(404);
    await app.sendFinalCallbacksOnly();
    const rotated = await startLipsyncApp({
      env: { ...env, CALLBACK_SECRET: `${secret},${before}` },
    });
    try {
      const other = await make(rotated);
      const otherKey = keyOf('Video', other.id) ?? '';
      const old = `/results/${signToken([before], { purpose: 'result', id: otherKey })}`;
      expect((await open(rotated.url + old)).headers.get('location')).toBe(other.url);
    } finally {
      await rotated.stop();
    }
    expect(url).not.toBeNull();
  });
});

describe('refuses', () => {
  it('a video that was deleted, with 410 and a message', async () => {
    const { id, permanentUrl } = await make(app);
    const { deleteVideo } = await app.askForData<{ deleteVideo: { __typename: string } }>(
      'mutation ($id: ID!) { deleteVideo(input: { id: $id }) { __typename } }',
      { id },
      ann,
    );
    expect(deleteVideo.__typename).toBe('DeleteVideoSuccess');
    const answer = await open(permanentUrl);
    expect([answer.status, await answer.json()]).toEqual([
      410,
      { code: 'NOT_FOUND', message: expect.stringMatching(/does not have this video any more/) },
    ]);
  });

  it('invented, changed and foreign tokens with 404, without asking the upstream', async () => {
    const { id, permanentUrl = '' } = await make(app);
    const token = permanentUrl?.split('/').at(-1) ?? '';
    const key = keyOf('Video', id) ?? '';
    const forged = [
      'x',
      token.slice(0, -1),
      `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
      signToken(['another secret of this length'], { purpose: 'result', id: key }),
      signToken([secret], { purpose: 'callback', id: key }),
      signToken([secret], { purpose: 'result', id: 'nothing0-17' }),
      signToken([secret], { purpose: 'result', id: 'nothing' }),
    ];
    const before = (await app.requests()).length;
    for (const each of forged) {
      const answer = await open(`${app.url}/results/${each}`);
      expect([answer.status, await answer.json()]).toEqual([
        404,
        { code: 'NOT_FOUND', message: 'Not found.' },
      ]);
    }
    expect((await app.requests()).length).toBe(before);
  });

  it('other methods, and pages of other sites that read the answer', async () => {
    const { permanentUrl } = await make(app);
    expect((await open(permanentUrl, { method: 'POST' })).status).toBe(405);
    const origin = { origin: 'https://evil.example' };
    expect((await open(permanentUrl, { headers: origin })).status).toBe(403);
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' };
    const path = new URL(permanentUrl ?? '').pathname;
    expect((await sendRequest(app.url, { path, headers })).status).toBe(403);
  });

  it('everything where PERMANENT_URLS is false', async () => {
    const off = await startLipsyncApp({ env: { ...env, PERMANENT_URLS: 'false' } });
    try {
      const { id, permanentUrl } = await make(off);
      expect(permanentUrl).toBeNull();
      const token = signToken([secret], { purpose: 'result', id: keyOf('Video', id) ?? '' });
      expect((await open(`${off.url}/results/${token}`)).status).toBe(404);
    } finally {
      await off.stop();
    }
  });
});

describe('keeps out', () => {
  it('the token of the log, and e-mail addresses of the link', async () => {
    const { permanentUrl } = await make(app);
    await open(permanentUrl);
    const token = permanentUrl?.split('/').at(-1) ?? '';
    expect(token).not.toMatch(/@|studio/);
    expect(JSON.stringify(app.logs)).not.toContain(token);
    expect(app.logs.some(({ path }) => path === '/results/…')).toBe(true);
  });
});
