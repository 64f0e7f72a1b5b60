import { expect } from 'vitest';
import type { GraphQLClient } from '../../support/graphql-client.ts';
import {
  createLipsyncOperations,
  type Event,
  terminalStatuses,
  type Update,
} from '../../support/lipsync-app.ts';
import { askForData, type Lipsync, readVideoIds, withHeaders } from '../../support/lipsyncs.ts';
import { downloadVideo, uploadFile } from '../../support/uploads.ts';

export type Headers = Record<string, string>;

export type Found = Pick<Lipsync, 'id' | 'status' | 'text' | 'failure'>;

/** One subscription: the events so far, and all events once it has ended. */
export type Watcher = { seen: Event[]; over: Promise<Event[]> };

export type InstanceOperations = ReturnType<typeof createInstanceOperations>;

/** The operations of a client on any instance. */
export function createInstanceOperations(client: GraphQLClient) {
  const operations = createLipsyncOperations(client);
  return {
    ...operations,
    /** The id of a finished video. */
    async source(headers: Headers = {}): Promise<string> {
      const [id = ''] = await readVideoIds(withHeaders(client, headers));
      expect(id).not.toBe('');
      return id;
    },
    /** The id of an upload with the bytes of a finished video, which every account can use. */
    uploadVideo: async () => uploadFile(client, 'VIDEO', await downloadVideo(client)),
    /** All lip-syncs of this owner, newest first. */
    async list(headers: Headers = {}): Promise<Found[]> {
      type Data = { lipsyncs: { nodes: Found[] } };
      const query =
        '{ lipsyncs(first: 100) { nodes { id status text failure { __typename code message } } } }';
      return (await askForData<Data>(withHeaders(client, headers), query)).lipsyncs.nodes;
    },
    /** Watches a list in one stream, to its end or until `isEnough`. */
    async watchAll(
      ids: string[],
      {
        after = null,
        isEnough = () => false,
      }: { after?: string | null | undefined; isEnough?: (seen: Update[]) => boolean } = {},
    ): Promise<Update[]> {
      const seen: Update[] = [];
      for await (const each of operations.subscribeToAll(ids, after)) {
        expect(each.errors).toBeUndefined();
        seen.push(each.data?.lipsyncsProgress as Update);
        if (isEnough(seen)) break;
      }
      return seen;
    },
    /** Resolves at the first event of the subscription. */
    async watch(id: string): Promise<Watcher> {
      const seen: Event[] = [];
      const begun = Promise.withResolvers<void>();
      const follow = async () => {
        for await (const each of operations.subscribe(id)) {
          expect(each.errors).toBeUndefined();
          seen.push(each.data?.lipsyncProgress as Event);
          begun.resolve();
        }
        return seen;
      };
      const over = follow();
      await Promise.race([begun.promise, over]);
      return { seen, over };
    },
  };
}

/** A subscription without a cursor has no gap and no repeat, and only its last event has a terminal status. */
export function expectWhole(seen: readonly Event[]): void {
  const [first] = seen;
  expect(first).toBeDefined();
  expect(seen.map(({ sequence }) => sequence)).toEqual(
    seen.map((_, at) => (first?.sequence ?? 0) + at),
  );
  expect(seen.map(({ status }) => terminalStatuses.includes(status))).toEqual(
    seen.map((_, at) => at === seen.length - 1),
  );
}
