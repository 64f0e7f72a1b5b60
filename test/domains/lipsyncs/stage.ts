import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { keyOf } from '../../../src/graphql/ids.ts';
import { startTestApp, type TestAppOptions } from '../../support/app.ts';

export type Event = {
  cursor: string;
  sequence: number;
  status: string;
  percent: number;
  queuePosition: number | null;
  source: string;
};

type Lipsync = {
  id: string;
  status: string;
  reference: string | null;
  text: string | null;
  submittedAt: string | null;
  finishedAt: string | null;
  creditsCharged: number | null;
  failure: { __typename: string; code: string; message: string } | null;
  result: { id: string; status: string; url: string | null } | null;
  progress: { percent: number; queuePosition: number | null };
};

export type Made = {
  __typename: string;
  lipsync?: Lipsync;
  replayed?: boolean;
  code?: string;
  message?: string;
  reason?: string;
  retryable?: boolean;
  retryAfterSeconds?: number | null;
  issues?: { path: string[]; message: string }[];
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

export const terminal = ['COMPLETED', 'FAILED', 'MODERATED', 'CANCELLED', 'EXPIRED'];

const lipsyncFields = `id status reference text submittedAt finishedAt creditsCharged
  failure { __typename code message } result { id status url } progress { percent queuePosition }`;

const eventFields = 'cursor sequence status percent queuePosition source';

const createdFields = `__typename
  ... on CreateLipsyncSuccess { replayed lipsync { ${lipsyncFields} } }
  ... on OutcomeUnknownError { lipsync { ${lipsyncFields} } }
  ... on InvalidInputError { issues { path message } }
  ... on RateLimitedError { reason }
  ... on LipsyncError { code message retryable retryAfterSeconds }`;

export const createMutation = `mutation ($input: CreateLipsyncInput!) {
  createLipsync(input: $input) { ${createdFields} } }`;

export const createAllMutation = `mutation ($inputs: [CreateLipsyncInput!]!) { createLipsyncs(inputs: $inputs) {
  __typename
  ... on CreateLipsyncsSuccess { results { ${createdFields} } }
  ... on InvalidInputError { issues { path message } }
  ... on LipsyncError { code message } } }`;

/** What `createLipsyncs` answers: `results`, or why there are none. */
export type MadeAll = {
  __typename: string;
  code?: string;
  results?: Made[];
  issues?: Made['issues'];
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

/** One account with three jobs: what a test needs that does not care. */
const oneAccount = [{ email: 'studio@sandbox.example', maxJobs: 3 }];

export const patient = { timeout: 15_000, interval: 25 };

/** `name` is also the key; several scopes are separated by a space. */
export function apiKeys(...names: string[]) {
  const scopes = 'lipsync:read lipsync:write videos:read';
  const entry = (name: string) =>
    `${name}:${createHash('sha256').update(name).digest('hex')}:${scopes}`;
  return names.map(entry).join(',');
}

export const as = (name: string) => ({ authorization: `Bearer ${name}` });

export type Stage = Awaited<ReturnType<typeof openStage>>;

/** The program with its sandbox, and the questions that tests of lip-syncs ask. */
export async function openStage(options: TestAppOptions = {}) {
  const clock = { aheadMs: 0 };
  const dataDir = options.sandbox?.dataDir ?? (await mkdtemp(join(tmpdir(), 'lipsync-stage-')));
  const test = await startTestApp({
    now: () => new Date(Date.now() + clock.aheadMs),
    ...options,
    sandbox: { accounts: oneAccount, ...options.sandbox, dataDir },
  });
  return {
    ...questionsOf(test),
    test,
    clock,
    /** Nobody reads or writes a lip-sync until the function that it returns is called. */
    async holdLipsyncs(): Promise<() => Promise<void>> {
      const held = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      const done = test.app.db.transaction(async (tx) => {
        await tx.query('lock table lipsyncs in access exclusive mode');
        held.resolve();
        await released.promise;
      });
      await held.promise;
      return () => {
        released.resolve();
        return done;
      };
    },
    async stop() {
      await test.stop();
      // A video that the sandbox was just making may still be written.
      await rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

type TestApp = Awaited<ReturnType<typeof startTestApp>>;

function questionsOf(test: TestApp) {
  /** The data; fails where there are `errors`. */
  async function ask<T>(
    query: string,
    variables: Record<string, unknown> = {},
    headers: Record<string, string> = {},
  ): Promise<T> {
    const { data, errors } = await test.ask<T>(query, variables, headers);
    expect(errors).toBeUndefined();
    return data as T;
  }

  /** Ids of finished videos of the account, or of any. */
  async function sources(email?: string, headers = {}): Promise<string[]> {
    type Data = { videos: { nodes: { id: string }[] } };
    const { videos } = await ask<Data>(
      '{ videos(first: 100, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
      {},
      headers,
    );
    const ids = videos.nodes.map(({ id }) => id);
    if (email === undefined) return ids;
    const upstream = await Promise.all(
      ids.map((id) => test.app.services.videos.ids.toUpstream(keyOf('Video', id) ?? '')),
    );
    return ids.filter((_, at) => upstream[at]?.includes(email));
  }

  async function create(input: Record<string, unknown>, headers = {}): Promise<Made> {
    type Data = { createLipsync: Made };
    return (await ask<Data>(createMutation, { input }, headers)).createLipsync;
  }

  async function createAll(inputs: Record<string, unknown>[], headers = {}): Promise<MadeAll> {
    type Data = { createLipsyncs: MadeAll };
    return (await ask<Data>(createAllMutation, { inputs }, headers)).createLipsyncs;
  }

  async function find(id: string, headers = {}): Promise<Lipsync | null> {
    type Data = { lipsync: Lipsync | null };
    const query = `query ($id: ID!) { lipsync(id: $id) { ${lipsyncFields} } }`;
    return (await ask<Data>(query, { id }, headers)).lipsync;
  }

  async function events(id: string, headers = {}): Promise<Event[]> {
    type Data = { lipsync: { events: { nodes: Event[] } } };
    const query = `query ($id: ID!) { lipsync(id: $id) { events(first: 100) { nodes { ${eventFields} } } } }`;
    return (await ask<Data>(query, { id }, headers)).lipsync.events.nodes;
  }

  async function reach(id: string, statuses: string | string[], headers = {}): Promise<Lipsync> {
    return vi.waitFor(async () => {
      const found = await find(id, headers);
      expect([statuses].flat()).toContain(found?.status);
      return found as Lipsync;
    }, patient);
  }

  const requests = async (part = '') =>
    (await test.readSandbox<Request[]>('requests')).filter((each) =>
      `${each.method} ${each.path}`.includes(part),
    );

  const jobs = async () =>
    (await test.readSandbox<{ jobs: Job[]; accounts: Accounts }>('jobs')).jobs;

  return {
    ask,
    sources,
    create,
    createAll,
    find,
    events,
    reach,
    requests,
    jobs,
    posts: () => requests('POST /videos/lipsync'),
    /** The sandbox remembers the last thousand requests. */
    forgetRequests: () => fetch(`${test.sandbox.origin}/_sandbox/requests`, { method: 'DELETE' }),
    clearSwitches: () => fetch(`${test.sandbox.origin}/_sandbox/switches`, { method: 'DELETE' }),
    /**
     * All switches off but one: two callbacks of a lip-sync within a second share one look, so that a job of a quarter
     * of a second is seen to end a second later. Where only the end matters only the end is told.
     */
    async beBrief(): Promise<void> {
      await fetch(`${test.sandbox.origin}/_sandbox/switches`, { method: 'DELETE' });
      await test.turn({ callbacks: 'final-only' });
    },
    /** Those that carried this lip-sync's id. */
    postsOf: async (id: string) =>
      (await requests('POST /videos/lipsync')).filter(
        ({ body }) => body?.replyRef === keyOf('Lipsync', id),
      ),
    jobOf: async (id: string) =>
      (await jobs()).find(({ replyRef }) => replyRef === keyOf('Lipsync', id)),
    accounts: async () =>
      (await test.readSandbox<{ jobs: Job[]; accounts: Accounts }>('jobs')).accounts,
    /** Ends a job of the sandbox now. */
    async finish(id: string, status = 'COMPLETED'): Promise<void> {
      const job = (await jobs()).find(({ replyRef }) => replyRef === keyOf('Lipsync', id));
      const url = `${test.sandbox.origin}/_sandbox/jobs/${encodeURIComponent(job?.video_id ?? '')}/finish`;
      const response = await fetch(url, { method: 'POST', body: JSON.stringify({ status }) });
      expect(response.status).toBe(200);
    },
    end: (id: string, headers = {}) => reach(id, terminal, headers),
    cancel: async (id: string, headers = {}) =>
      (await ask<{ cancelLipsync: Made }>(endMutation('cancelLipsync'), { id }, headers))
        .cancelLipsync,
    remove: async (id: string, headers = {}) =>
      (await ask<{ deleteLipsync: Made }>(endMutation('deleteLipsync'), { id }, headers))
        .deleteLipsync,
    watch: (id: string, after: string | null = null) =>
      test.watchWs<Progress>(progressSubscription, { id, after }),
    watchAll: (ids: string[], after: string | null = null, headers = {}) =>
      test.watchWs<ListProgress>(listSubscription, { ids, after }, { headers }),
  };
}

export const idOf = ({ lipsync }: Made): string => {
  expect(lipsync).toBeDefined();
  return lipsync?.id ?? '';
};

/** Those of a list of which every one was taken. */
export const idsOf = ({ results = [] }: MadeAll): string[] => results.map(idOf);

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
  expect(events.slice(0, -1).filter(({ status }) => terminal.includes(status))).toEqual([]);
}
