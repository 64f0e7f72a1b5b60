import { createHash } from 'node:crypto';
import { expect, vi } from 'vitest';
import { keyOf } from '../../src/graphql/ids.ts';
import { startTestApp, type TestApp, type TestAppOptions } from './app.ts';
import { holdTable } from './database.ts';
import type { GraphQLClient } from './graphql-client.ts';
import {
  askForData,
  type CreateLipsyncResult,
  createdFields,
  lipsyncFields,
  longWait,
  readLipsync,
  readVideoIds,
  requestLipsync,
  waitForStatus,
  withHeaders,
} from './lipsyncs.ts';

export type Event = {
  cursor: string;
  sequence: number;
  status: string;
  percent: number;
  queuePosition: number | null;
  source: string;
};

/** A request as the sandbox saw it. */
type Request = {
  sequence: number;
  method: string;
  path: string;
  body?: Record<string, unknown>;
  status?: number | string;
};

export type Job = {
  video_id: string;
  email: string;
  status: string;
  replyRef: string;
  replyUrl: string;
  isTracked: boolean;
};

type Accounts = Record<string, { maxJobs: number; executing: number; highWater: number }>;

export const terminalStatuses = ['COMPLETED', 'FAILED', 'MODERATED', 'CANCELLED', 'EXPIRED'];

const eventFields = 'cursor sequence status percent queuePosition source';

export const createLipsyncsMutation = `mutation ($input: CreateLipsyncsInput!) { createLipsyncs(input: $input) {
  __typename
  ... on CreateLipsyncsSuccess { results { ${createdFields} } }
  ... on InvalidInputError { issues { path message } }
  ... on LipsyncError { code message } } }`;

/** Any member of the union that `createLipsyncs` answers. */
export type CreateLipsyncsResult = {
  __typename: string;
  code?: string;
  results?: CreateLipsyncResult[];
  issues?: CreateLipsyncResult['issues'];
};

const endMutation = (name: 'cancelLipsync' | 'deleteLipsync') =>
  `mutation ($id: ID!) { ${name}(input: { id: $id }) { __typename
    ${name === 'deleteLipsync' ? '... on DeleteLipsyncSuccess { deletedLipsyncId }' : ''}
    ${
      name === 'cancelLipsync'
        ? ['LipsyncCancelled', 'LipsyncTrackingStopped', 'LipsyncAlreadyFinished']
            .map((type) => `... on ${type} { lipsync { ${lipsyncFields} } }`)
            .join(' ')
        : ''
    }
    ... on LipsyncError { code message } } }`;

export const progressSubscription = `subscription ($id: ID!, $after: String) {
  lipsyncProgress(id: $id, after: $after) { __typename
    ... on LipsyncProgress { ${eventFields} failure { code } lipsync { id status } }
    ... on InvalidInputError { issues { path } } ... on LipsyncError { code } } }`;

export type Update = Event & {
  __typename: string;
  code?: string;
  message?: string;
  failure: { code: string } | null;
  lipsync: { id: string; status: string };
};

export type Progress = { lipsyncProgress: Update };

export const listSubscription = `subscription ($ids: [ID!]!, $after: String) {
  lipsyncsProgress(ids: $ids, after: $after) { __typename
    ... on LipsyncProgress { ${eventFields} failure { code } lipsync { id status } }
    ... on InvalidInputError { issues { path } } ... on LipsyncError { code message } } }`;

export type ListProgress = { lipsyncsProgress: Update };

/** One account with three jobs, for tests to which the accounts do not matter. */
const oneAccount = [{ email: 'studio@sandbox.example', maxJobs: 3 }];

/** For tests that wait for a tick or for the end of jobs with several callbacks. A tick is eight queries. */
export const shortIntervals = { tickMs: 100, callbackMs: 100 };

/** `name` is also the key; several scopes are separated by a space. */
export function apiKeys(...names: string[]) {
  const scopes = 'lipsync:read lipsync:write videos:read';
  const entry = (name: string) =>
    `${name}:${createHash('sha256').update(name).digest('hex')}:${scopes}`;
  return names.map(entry).join(',');
}

export const signInAs = (name: string) => ({ authorization: `Bearer ${name}` });

export type LipsyncApp = Awaited<ReturnType<typeof startLipsyncApp>>;

/** The app in process with a clock that `clock.aheadMs` moves, and the operations that tests of lip-syncs need. */
export async function startLipsyncApp(options: TestAppOptions = {}) {
  const clock = { aheadMs: 0 };
  const app = await startTestApp({
    now: () => new Date(Date.now() + clock.aheadMs),
    ...options,
    sandbox: { accounts: oneAccount, ...options.sandbox },
  });
  return Object.assign(app, createLipsyncOperations(app), operateSandbox(app), {
    clock,
    db: app.app.db,
    services: app.app.services,
    /** Ids of finished videos of the account, or of any. */
    async listVideoIds(email?: string, headers: Headers = {}): Promise<string[]> {
      const ids = await readVideoIds(withHeaders(app, headers));
      if (email === undefined) return ids;
      const upstream = await Promise.all(
        ids.map((id) => app.app.services.videos.ids.toUpstream(keyOf('Video', id) ?? '')),
      );
      return ids.filter((_, at) => upstream[at]?.includes(email));
    },
    /** Blocks every read and write of a lip-sync until the returned function is called. */
    holdLipsyncs: () => holdTable(app.app.db, 'lipsyncs', 'access exclusive'),
    /** Waits for this many further ticks of the scheduler, each of which probes the accounts once. */
    async passTicks(count: number): Promise<void> {
      const probe = vi.spyOn(app.app.services.accounts, 'probeDue');
      await vi.waitFor(() => expect(probe.mock.calls.length).toBeGreaterThan(count), longWait);
      probe.mockRestore();
    },
  });
}

type Headers = Record<string, string>;

/** The operations of a client. Each fails if the answer has `errors`. */
export function createLipsyncOperations(client: GraphQLClient) {
  async function createAll(
    inputs: Record<string, unknown>[],
    headers: Headers = {},
  ): Promise<CreateLipsyncsResult> {
    type Data = { createLipsyncs: CreateLipsyncsResult };
    const own = withHeaders(client, headers);
    return (await askForData<Data>(own, createLipsyncsMutation, { input: { items: inputs } }))
      .createLipsyncs;
  }

  async function readEvents(id: string, headers: Headers = {}): Promise<Event[]> {
    type Data = { lipsync: { events: { nodes: Event[] } } };
    const query = `query ($id: ID!) { lipsync(id: $id) { events(first: 100) { nodes { ${eventFields} } } } }`;
    return (await askForData<Data>(withHeaders(client, headers), query, { id })).lipsync.events
      .nodes;
  }

  async function end(
    name: 'cancelLipsync' | 'deleteLipsync',
    id: string,
    headers: Headers,
  ): Promise<CreateLipsyncResult> {
    type Data = Record<typeof name, CreateLipsyncResult>;
    return (await askForData<Data>(withHeaders(client, headers), endMutation(name), { id }))[name];
  }

  return {
    askForData: <T>(
      query: string,
      variables: Record<string, unknown> = {},
      headers: Headers = {},
    ) => askForData<T>(withHeaders(client, headers), query, variables),
    create: (input: Record<string, unknown>, headers: Headers = {}) =>
      requestLipsync(withHeaders(client, headers), input),
    createAll,
    read: (id: string, headers: Headers = {}) => readLipsync(withHeaders(client, headers), id),
    readEvents,
    waitForStatus: (id: string, statuses: string | string[], headers: Headers = {}) =>
      waitForStatus(withHeaders(client, headers), id, statuses),
    waitForEnd: (id: string, headers: Headers = {}) =>
      waitForStatus(withHeaders(client, headers), id, terminalStatuses),
    cancel: (id: string, headers: Headers = {}) => end('cancelLipsync', id, headers),
    delete: (id: string, headers: Headers = {}) => end('deleteLipsync', id, headers),
    subscribe: (id: string, after: string | null = null) =>
      client.watchWs<Progress>(progressSubscription, { id, after }),
    subscribeToAll: (ids: string[], after: string | null = null, headers: Headers = {}) =>
      client.watchWs<ListProgress>(listSubscription, { ids, after }, { headers }),
  };
}

/** What tests of lip-syncs do with the sandbox. */
function operateSandbox(app: TestApp) {
  const control = (method: string, path: string, body?: object) =>
    fetch(`${app.sandbox.origin}/_sandbox/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  const requests = async (part = '') =>
    (await app.readSandbox<Request[]>('requests')).filter((each) =>
      `${each.method} ${each.path}`.includes(part),
    );

  const readJobs = () => app.readSandbox<{ jobs: Job[]; accounts: Accounts }>('jobs');

  const jobOf = async (id: string) =>
    (await readJobs()).jobs.find(({ replyRef }) => replyRef === keyOf('Lipsync', id));

  return {
    requests,
    jobs: async () => (await readJobs()).jobs,
    accounts: async () => (await readJobs()).accounts,
    posts: () => requests('POST /videos/lipsync'),
    /** The POSTs that carried this lip-sync's id. */
    postsOf: async (id: string) =>
      (await requests('POST /videos/lipsync')).filter(
        ({ body }) => body?.replyRef === keyOf('Lipsync', id),
      ),
    jobOf,
    /** The sandbox remembers the last thousand requests. */
    forgetRequests: () => control('DELETE', 'requests'),
    clearSwitches: () => control('DELETE', 'switches'),
    /** All switches off, and only the end of a job causes a callback: fewer reads where only the end matters. */
    async sendFinalCallbacksOnly(): Promise<void> {
      await control('DELETE', 'switches');
      await app.turn({ callbacks: 'final-only' });
    },
    /** Ends the job of a lip-sync now. */
    async finishJob(id: string, status = 'COMPLETED'): Promise<void> {
      const videoId = encodeURIComponent((await jobOf(id))?.video_id ?? '');
      expect((await control('POST', `jobs/${videoId}/finish`, { status })).status).toBe(200);
    },
  };
}

export const idOf = ({ lipsync }: CreateLipsyncResult): string => {
  expect(lipsync).toBeDefined();
  return lipsync?.id ?? '';
};

/** The ids of a batch of which every lip-sync was created. */
export const idsOf = ({ results = [] }: CreateLipsyncsResult): string[] => results.map(idOf);

/** The rules of promise 2, which hold for every log. */
export function expectSoundLog(events: readonly Event[]): void {
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, at) => at + 1));
  expect(events.length).toBeLessThan(100);
  const percents = events.map(({ percent }) => percent);
  expect(percents).toEqual(percents.toSorted((a, b) => a - b));
  for (const { status, percent } of events) {
    if (status === 'COMPLETED') expect(percent).toBe(100);
    else expect(percent).toBeLessThanOrEqual(95);
  }
  const positions = events.flatMap(({ queuePosition }) => queuePosition ?? []);
  expect(positions).toEqual(positions.toSorted((a, b) => b - a));
  expect(events.slice(0, -1).filter(({ status }) => terminalStatuses.includes(status))).toEqual([]);
}
