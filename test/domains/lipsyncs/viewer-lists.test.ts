import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  apiKeys,
  idOf,
  type LipsyncApp,
  signInAs,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';
import { withHeaders } from '../../support/lipsyncs.ts';
import { createUpload } from '../../support/uploads.ts';

let app: LipsyncApp;
let video: string;
const [ann, bob] = [signInAs('ann'), signInAs('bob')];
/** Ann's, newest first. */
const own = { lipsyncs: [] as string[], uploads: [] as string[] };

beforeAll(async () => {
  // The clock of the uploads is stopped: several have the same time.
  const now = new Date();
  app = await startLipsyncApp({ now: () => now, env: { API_KEYS: apiKeys('ann', 'bob') } });
  await app.sendFinalCallbacksOnly();
  [video = ''] = await app.listVideoIds(undefined, ann);
  for (let n = 0; n < 5; n += 1) {
    const text = `[[never]] ${n}`;
    own.lipsyncs.unshift(idOf(await app.create({ video: { videoId: video }, text }, ann)));
    own.uploads.unshift((await createUpload(withHeaders(app, ann))).id);
  }
  await createUpload(withHeaders(app, bob));
});
afterAll(() => app.stop());

type List = 'lipsyncs' | 'uploads' | 'videos';
type Connection = {
  edges: { cursor: string; node: { id: string } }[];
  nodes: { id: string }[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
};

async function readPage(list: List, args: object, headers = ann): Promise<Connection> {
  const { viewer } = await app.askForData<{ viewer: Record<string, Connection> }>(
    `query ($first: Int, $after: String, $last: Int, $before: String) { viewer {
       ${list}(first: $first, after: $after, last: $last, before: $before) {
         edges { cursor node { id } } nodes { id }
         pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`,
    { ...args },
    headers,
  );
  return viewer[list] as Connection;
}

const idsIn = ({ nodes }: Connection) => nodes.map(({ id }) => id);

/** All pages from the newest item to the oldest. */
async function readForwards(list: List, first: number): Promise<string[]> {
  const ids: string[] = [];
  for (let after: string | null = null, more = true; more; ) {
    const page: Connection = await readPage(list, { first, after });
    expect(page.edges.map(({ node }) => node.id)).toEqual(idsIn(page));
    expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
    expect(page.pageInfo.endCursor).toBe(page.edges.at(-1)?.cursor);
    ids.push(...idsIn(page));
    ({ endCursor: after, hasNextPage: more } = page.pageInfo);
  }
  return ids;
}

/** All pages from the oldest item to the newest. */
async function readBackwards(list: 'lipsyncs' | 'uploads', last: number): Promise<string[]> {
  const ids: string[] = [];
  for (let before: string | null = null, more = true; more; ) {
    const page: Connection = await readPage(list, { last, before });
    ids.unshift(...idsIn(page));
    ({ startCursor: before, hasPreviousPage: more } = page.pageInfo);
  }
  return ids;
}

describe('works', () => {
  it.each(['lipsyncs', 'uploads'] as const)(
    'viewer.%s lists all items of the caller in pages of any size, forwards and backwards',
    async (list) => {
      const expected = own[list].toSorted();
      for (const size of [1, 2, 5, 100]) {
        const forwards = await readForwards(list, size);
        expect(forwards.toSorted()).toEqual(expected);
        expect(await readBackwards(list, size)).toEqual(forwards);
      }
    },
  );

  it('viewer.lipsyncs is the list of the query lipsyncs, with its filter', async () => {
    const args = '(first: 3, filter: { statuses: [QUEUED] })';
    const { viewer, lipsyncs } = await app.askForData<{
      viewer: { lipsyncs: Connection };
      lipsyncs: Connection;
    }>(
      `{ viewer { lipsyncs${args} { edges { cursor node { id } } } } lipsyncs${args} { edges { cursor node { id } } } }`,
      {},
      ann,
    );
    expect(viewer.lipsyncs).toEqual(lipsyncs);
    expect(lipsyncs.edges).toHaveLength(2);
  });

  it('a status that a filter names twice counts once', async () => {
    const statuses = 'QUEUED, SUBMITTED, GENERATING';
    const read = (filter: string) =>
      app.askForData<{ lipsyncs: Connection }>(
        `{ lipsyncs(first: 3, filter: { statuses: [${filter}] }) { nodes { id } pageInfo { hasNextPage } } }`,
        {},
        ann,
      );
    const { lipsyncs } = await read(`${statuses}, ${statuses}`);
    expect({ lipsyncs }).toEqual(await read(statuses));
    expect(lipsyncs).toMatchObject({ nodes: { length: 3 }, pageInfo: { hasNextPage: true } });
  });

  it('viewer.videos is the list of the query videos, in pages', async () => {
    type Data = { videos: Connection };
    const { videos } = await app.askForData<Data>(
      '{ videos(first: 100) { ... on VideoConnection { nodes { id } } } }',
      {},
      ann,
    );
    expect(videos.nodes.length).toBeGreaterThan(3);
    expect(await readForwards('videos', 2)).toEqual(idsIn(videos));
  });

  it('shows one upload with the fields of its type', async () => {
    const { viewer } = await app.askForData<{ viewer: object }>(
      '{ viewer { uploads(first: 1) { nodes { kind status contentType failure { code } } } } }',
      {},
      ann,
    );
    const waiting = { kind: 'AUDIO', status: 'WAITING', contentType: 'audio/wav', failure: null };
    expect(viewer).toEqual({ uploads: { nodes: [waiting] } });
  });
});

describe('refuses', () => {
  it.each(['lipsyncs', 'uploads', 'videos'] as const)(
    'viewer.%s with an invalid cursor, and names the argument',
    async (list) => {
      for (const argument of ['after', 'before']) {
        const { data, errors } = await app.ask(
          `{ viewer { name ${list}(${argument}: "cnViYmlzaA") { nodes { id } } } }`,
          {},
          ann,
        );
        expect(data).toEqual({ viewer: { name: 'ann', [list]: null } });
        expect(errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
      }
    },
  );
});

describe('keeps out', () => {
  it("another owner's items, also with that owner's cursors", async () => {
    const { pageInfo } = await readPage('uploads', { first: 1 });
    const bobs = idsIn(await readPage('uploads', {}, bob));
    expect(bobs).toHaveLength(1);
    expect(own.uploads).not.toContain(bobs[0]);
    const after = idsIn(await readPage('uploads', { after: pageInfo.endCursor }, bob));
    expect(after.every((id) => bobs.includes(id))).toBe(true);
    expect(idsIn(await readPage('lipsyncs', {}, bob))).toEqual([]);
  });
});
