import { expect } from 'vitest';
import type { GraphQLClient } from '../../support/graphql-client.ts';
import {
  type CreateLipsyncsResult,
  createLipsyncsMutation,
  type Event,
  type ListProgress,
  listSubscription,
  type Progress,
  progressSubscription,
  terminalStatuses,
  type Update,
} from '../../support/lipsync-app.ts';
import {
  askForData,
  type Lipsync,
  readLipsync,
  readVideoIds,
  requestLipsync,
  waitForStatus,
  withHeaders,
} from '../../support/lipsyncs.ts';
import { downloadVideo, uploadFile } from '../../support/uploads.ts';

export type Headers = Record<string, string>;

export type Found = Pick<Lipsync, 'id' | 'status' | 'text' | 'failure'>;

/** One subscription: the events so far, and all events once it has ended. */
export type Watcher = { seen: Event[]; over: Promise<Event[]> };

export type InstanceOperations = ReturnType<typeof createOperations>;

const foundFields = 'id status text failure { __typename code message }';

/** The operations of a client on any instance. */
export function createOperations(client: GraphQLClient) {
  const signedIn = (headers: Headers = {}) => withHeaders(client, headers);

  return {
    create: (input: object, headers?: Headers) => requestLipsync(signedIn(headers), { ...input }),
    async createAll(inputs: object[], headers?: Headers): Promise<CreateLipsyncsResult> {
      type Data = { createLipsyncs: CreateLipsyncsResult };
      const data = await askForData<Data>(signedIn(headers), createLipsyncsMutation, { inputs });
      return data.createLipsyncs;
    },
    find: (id: string, headers?: Headers) => readLipsync(signedIn(headers), id),
    reach: (id: string, ...statuses: string[]) => waitForStatus(client, id, statuses),
    end: (id: string, headers?: Headers) => waitForStatus(signedIn(headers), id, terminalStatuses),
    /** The id of a finished video. */
    async source(headers?: Headers): Promise<string> {
      const [id = ''] = await readVideoIds(signedIn(headers));
      expect(id).not.toBe('');
      return id;
    },
    /** The id of an upload with the bytes of a finished video, which every account can use. */
    uploadVideo: async () => uploadFile(client, 'VIDEO', await downloadVideo(client)),
    /** All lip-syncs of this owner, newest first. */
    async list(headers?: Headers): Promise<Found[]> {
      type Data = { lipsyncs: { nodes: Found[] } };
      const query = `{ lipsyncs(first: 100) { nodes { ${foundFields} } } }`;
      return (await askForData<Data>(signedIn(headers), query)).lipsyncs.nodes;
    },
    async events(id: string, headers?: Headers): Promise<Event[]> {
      type Data = { lipsync: { events: { nodes: Event[] } } };
      const query = `query ($id: ID!) { lipsync(id: $id) { events(first: 100) {
        nodes { cursor sequence status percent queuePosition source } } } }`;
      return (await askForData<Data>(signedIn(headers), query, { id })).lipsync.events.nodes;
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
      const variables = { ids, after };
      for await (const each of client.watchWs<ListProgress>(listSubscription, variables)) {
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
        const variables = { id, after: null };
        for await (const each of client.watchWs<Progress>(progressSubscription, variables)) {
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

/** A subscription without a cursor has no gap and no repeat, and its last event is the only terminalStatuses one. */
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
