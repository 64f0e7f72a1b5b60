import { expect, vi } from 'vitest';
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
  type CreateLipsyncResult,
  createLipsyncMutation,
  longWait,
} from '../../support/lipsyncs.ts';

export type Headers = Record<string, string>;

export type Found = {
  id: string;
  status: string;
  text: string;
  failure: { __typename: string; code: string } | null;
};

/** One subscription: the events so far, and all events once it has ended. */
export type Watcher = { seen: Event[]; over: Promise<Event[]> };

export type Questions = ReturnType<typeof questionsOf>;

const foundFields = 'id status text failure { __typename code }';

/** The operations of a client on any instance. */
export function questionsOf(client: GraphQLClient) {
  /** The data; fails when there are `errors`. */
  async function data<T>(query: string, variables: object, headers: Headers = {}): Promise<T> {
    const answer = await client.ask<T>(query, { ...variables }, headers);
    expect(answer.errors).toBeUndefined();
    return answer.data as T;
  }

  async function create(input: object, headers: Headers = {}): Promise<CreateLipsyncResult> {
    type Data = { createLipsync: CreateLipsyncResult };
    return (await data<Data>(createLipsyncMutation, { input }, headers)).createLipsync;
  }

  async function createAll(inputs: object[], headers: Headers = {}): Promise<CreateLipsyncsResult> {
    type Data = { createLipsyncs: CreateLipsyncsResult };
    return (await data<Data>(createLipsyncsMutation, { inputs }, headers)).createLipsyncs;
  }

  async function find(id: string, headers: Headers = {}): Promise<Found | null> {
    const query = `query ($id: ID!) { lipsync(id: $id) { ${foundFields} } }`;
    return (await data<{ lipsync: Found | null }>(query, { id }, headers)).lipsync;
  }

  async function reach(id: string, statuses: readonly string[], headers: Headers = {}) {
    return vi.waitFor(async () => {
      const found = await find(id, headers);
      expect(statuses).toContain(found?.status);
      return found as Found;
    }, longWait);
  }

  return {
    create,
    createAll,
    find,
    reach: (id: string, ...statuses: string[]) => reach(id, statuses),
    end: (id: string, headers?: Headers) => reach(id, terminalStatuses, headers),
    /** The id of a finished video. */
    async source(headers: Headers = {}): Promise<string> {
      type Data = { videos: { nodes: { id: string }[] } };
      const query = `{ videos(first: 1, filter: { status: [COMPLETED] }) {
        ... on VideoConnection { nodes { id } } } }`;
      const [video] = (await data<Data>(query, {}, headers)).videos.nodes;
      expect(video).toBeDefined();
      return video?.id ?? '';
    },
    /** The id of an upload with the bytes of a finished video, which every account can use. */
    async uploadVideo(): Promise<string> {
      type Sources = { videos: { nodes: { url: string }[] } };
      const { videos } = await data<Sources>(
        `{ videos(first: 1, filter: { status: [COMPLETED] }) {
          ... on VideoConnection { nodes { url } } } }`,
        {},
      );
      const body = await (await fetch(videos.nodes[0]?.url ?? '')).arrayBuffer();
      type Data = { createUpload: { uploadUrl: string; upload: { id: string } } };
      const { createUpload } = await data<Data>(
        `mutation { createUpload(input: { kind: VIDEO, contentType: "video/mp4" }) {
          ... on CreateUploadSuccess { uploadUrl upload { id } } } }`,
        {},
      );
      const headers = { 'content-type': 'video/mp4' };
      const answer = await fetch(createUpload.uploadUrl, { method: 'PUT', headers, body });
      expect(answer.ok).toBe(true);
      return createUpload.upload.id;
    },
    /** All lip-syncs of this owner, newest first. */
    async list(headers: Headers = {}): Promise<Found[]> {
      type Data = { lipsyncs: { nodes: Found[] } };
      const query = `{ lipsyncs(first: 100) { nodes { ${foundFields} } } }`;
      return (await data<Data>(query, {}, headers)).lipsyncs.nodes;
    },
    async events(id: string, headers: Headers = {}): Promise<Event[]> {
      type Data = { lipsync: { events: { nodes: Event[] } } };
      const query = `query ($id: ID!) { lipsync(id: $id) { events(first: 100) {
        nodes { cursor sequence status percent queuePosition source } } } }`;
      return (await data<Data>(query, { id }, headers)).lipsync.events.nodes;
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

/** A subscription without a cursor has no gap and no repeat, and its last event is the only terminal one. */
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
