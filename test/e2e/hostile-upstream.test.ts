import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { fakeToken } from '../support/fake-upstream/behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../support/fake-upstream/server.ts';

let upstream: FakeUpstream;
let it: TestApp;
beforeAll(async () => {
  upstream = await startFakeUpstream();
  it = await startTestApp({
    upstream,
    env: { ALLOW_ANONYMOUS: 'true', READ_FRESH_MS: '0' },
  });
});
afterAll(async () => {
  await it?.stop();
  await upstream?.close();
});

const good = {
  video_id: 'user:88041-pixverse:studio@example.com-video:1',
  video_status: 1,
  video_status_name: 'COMPLETED',
  url: 'https://media.example/1.mp4',
  created_at: '2026-03-01T08:00:00Z',
  prompt: 'a good one',
};

const list =
  '{ videos { __typename ... on VideoConnection { nodes { prompt url width height createdAt } } } }';

async function nodesOf(...videos: object[]) {
  upstream.reply('GET /videos', {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ data: videos }),
  });
  const { data, errors } = await it.ask(list);
  expect(errors).toBeUndefined();
  const { videos: found } = data as { videos: { nodes: Record<string, unknown>[] } };
  return found.nodes;
}

// One such video once failed the list, for every caller and for as long as the service listed it.
test.each([
  ['with U+0000', 'video:\x002'],
  ['with half of a surrogate pair', '\ud800-video:2'],
  ['too long for an index', `${'v'.repeat(9_000)}-video:2`],
])('a video whose id is %s is not listed, and the others are', async (_, id) => {
  const nodes = await nodesOf({ ...good, video_id: id }, good);
  expect(nodes.map(({ prompt }) => prompt)).toEqual(['a good one']);
});

test.each([
  ['a size beyond Int', { output_width: 1e10, output_height: 1e300 }, { width: null }],
  ['a year that the database does not have', { created_at: '0000-01-01' }, { createdAt: null }],
  ['a text with U+0000', { prompt: 'a\0b' }, { prompt: 'ab' }],
  ['our token in its prompt', { prompt: `see ${fakeToken}` }, { prompt: 'see [token]' }],
  [
    'our token in its URL',
    { url: `https://media.example/?token=${fakeToken}` },
    { url: 'https://media.example/?token=[token]' },
  ],
])('a video with %s is shown without it', async (_, fields, expected) => {
  expect(await nodesOf({ ...good, ...fields })).toMatchObject([expected]);
});
