import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createApiKeys } from '../../support/api-keys.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { sendRequest } from '../../support/http.ts';

const videos = `query ($n: Int) { videos(first: $n) { __typename
  ... on VideoConnection { nodes { id status } pageInfo { endCursor } } ... on LipsyncError { code } } }`;
const { env, headers: as } = createApiKeys({
  reader: ['videos:read', 'lipsync:read'],
  other: ['videos:read', 'lipsync:read'],
  own: ['lipsync:read'],
  remover: ['videos:read', 'videos:write'],
});

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({ env: { ...env, COST_PER_MINUTE: '100000', READ_FRESH_MS: '600000' } });
});
afterAll(() => it?.stop());

type Sent = { query?: string; variables?: object; headers?: Record<string, string> };

async function post({ query = videos, variables = { n: 2 }, headers = as.reader }: Sent = {}) {
  const { text } = await sendRequest(it.url, {
    method: 'POST',
    path: '/graphql',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return JSON.parse(text);
}

/** How often the list of videos was read while the requests were answered. */
async function countReads(work: () => Promise<unknown>): Promise<number> {
  const list = vi.spyOn(it.app.services.videos, 'list');
  try {
    await work();
    return list.mock.calls.length;
  } finally {
    list.mockRestore();
  }
}

describe('works', () => {
  test('callers with the same scopes get one answer, each with its own cost', async () => {
    const first = await post();
    expect(first.data.videos.nodes).toHaveLength(2);
    const reads = await countReads(async () => {
      const second = await post({ headers: as.other });
      expect(second.data).toEqual(first.data);
      expect(second.extensions.cost).toMatchObject({
        requested: first.extensions.cost.requested,
        actual: first.extensions.cost.actual,
      });
      expect(await post()).toMatchObject({ data: first.data });
    });
    expect(reads).toBe(0);
  });

  test('a request with Cache-Control: no-cache is executed', async () => {
    const noCache = { ...as.reader, 'cache-control': 'no-cache' };
    expect(await countReads(() => post({ headers: noCache }))).toBe(1);
  });

  test('what was deleted through this server is gone from the next answer', async () => {
    const [{ id }] = (await post({ variables: { n: 1 } })).data.videos.nodes;
    const removed = await post({
      query: 'mutation ($id: ID!) { deleteVideo(input: { id: $id }) { __typename } }',
      variables: { id },
      headers: as.remover,
    });
    expect(removed.data.deleteVideo.__typename).toBe('DeleteVideoSuccess');
    const { nodes } = (await post({ variables: { n: 1 } })).data.videos;
    expect(nodes).not.toContainEqual(expect.objectContaining({ id }));
  });
});

describe('keeps out', () => {
  test('an answer with other variables, or of callers with other scopes', async () => {
    await post();
    expect((await post({ variables: { n: 1 } })).data.videos.nodes).toHaveLength(1);
    expect((await post({ headers: as.own })).data.videos.nodes).toEqual([]);
    expect((await post({ headers: {} })).data.videos.code).toBe('NOT_AUTHENTICATED');
  });

  test('a shared answer beside a field of the caller', async () => {
    const query = '{ viewer { name } videos(first: 1) { __typename } }';
    expect((await post({ query })).data.viewer.name).toBe('reader');
    expect((await post({ query, headers: as.other })).data.viewer.name).toBe('other');
  });
});
