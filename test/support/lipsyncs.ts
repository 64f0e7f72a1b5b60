import { expect, vi } from 'vitest';
import type { GraphQLClient } from './graphql-client.ts';

/** The input of `createLipsync`, all of it optional, with `text` as short for a speech of that text. */
export type LipsyncOverrides = Record<string, unknown> & { text?: string };

export type Lipsync = {
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

/** Any member of the union that `createLipsync` answers. */
export type CreateLipsyncResult = {
  __typename: string;
  lipsync?: Lipsync;
  replayed?: boolean;
  code?: string;
  message?: string;
  /** Of a RateLimitedError. */
  limit?: string;
  /** Of an UpstreamUnavailableError. */
  cause?: string;
  retryable?: boolean;
  retryAfterSeconds?: number | null;
  issues?: { path: string[]; message: string; code: string }[];
};

/** What these functions need of a client; `withHeaders` makes one that signs in. */
export type Client = Pick<GraphQLClient, 'ask'>;

/** The same client with these headers in every request. */
export function withHeaders({ ask }: Client, headers: Record<string, string>): Client {
  return { ask: (query, variables, more) => ask(query, variables, { ...headers, ...more }) };
}

export const lipsyncFields = `id status reference text submittedAt finishedAt creditsCharged
  failure { __typename code message } result { id status url } progress { percent queuePosition }`;

/** The fields of every member of the union that `createLipsync` answers. */
export const createdFields = `__typename
  ... on CreateLipsyncSuccess { replayed lipsync { ${lipsyncFields} } }
  ... on OutcomeUnknownError { lipsync { ${lipsyncFields} } }
  ... on InvalidInputError { issues { path message code } }
  ... on RateLimitedError { limit }
  ... on UpstreamUnavailableError { cause }
  ... on LipsyncError { code message retryable retryAfterSeconds }`;

export const createLipsyncMutation = `mutation ($input: CreateLipsyncInput!) {
  createLipsync(input: $input) { ${createdFields} } }`;

/** For `vi.waitFor`. */
export const longWait = { timeout: 60_000, interval: 25 };

/** The data of an operation; fails when the answer has `errors`. */
export async function askForData<Data>(
  client: Client,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<Data> {
  const { data, errors } = await client.ask<Data>(query, variables);
  expect(errors).toBeUndefined();
  return data as Data;
}

/** The ids of up to a hundred finished videos that the caller sees. */
export async function readVideoIds(client: Client): Promise<string[]> {
  type Data = { videos: { nodes?: { id: string }[] } };
  const { videos } = await askForData<Data>(
    client,
    '{ videos(first: 100, filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  return videos.nodes?.map(({ id }) => id) ?? [];
}

/**
 * Asks for a lip-sync, by default of the first video and a short text, and returns whatever member of the union comes.
 * Tests of one video pass `video: { videoId: id }`, which spares the read of the list.
 */
export async function requestLipsync(
  client: Client,
  overrides: LipsyncOverrides = {},
): Promise<CreateLipsyncResult> {
  const { text = 'Good evening.', ...given } = overrides;
  const video = given.video ?? { videoId: (await readVideoIds(client))[0] };
  const input = { video, speech: { script: { text } }, ...given };
  type Data = { createLipsync: CreateLipsyncResult };
  const data = await askForData<Data>(client, createLipsyncMutation, { input });
  return data.createLipsync;
}

/** A whole input, also for `createLipsyncs`. */
export const inputOf = (videoId: string, text: string, more: object = {}) => ({
  video: { videoId },
  speech: { script: { text } },
  ...more,
});

/** How many of the results are of each member of the union. */
export function countTypes(results: readonly CreateLipsyncResult[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { __typename: type } of results) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

/** Creates a lip-sync; fails on every other member of the union. */
export async function createLipsync(
  client: Client,
  overrides: LipsyncOverrides = {},
): Promise<Lipsync> {
  const result = await requestLipsync(client, overrides);
  expect(result).toMatchObject({ __typename: 'CreateLipsyncSuccess' });
  return result.lipsync as Lipsync;
}

/** Creates a lip-sync and waits until it has one of these statuses. */
export async function createLipsyncUntil(
  client: Client,
  statuses: string | string[],
  overrides: LipsyncOverrides = {},
): Promise<Lipsync> {
  const { id } = await createLipsync(client, overrides);
  return waitForStatus(client, id, statuses);
}

/** Null for an id that is not the caller's. */
export async function readLipsync(client: Client, id: string): Promise<Lipsync | null> {
  type Data = { lipsync: Lipsync | null };
  const query = `query ($id: ID!) { lipsync(id: $id) { ${lipsyncFields} } }`;
  return (await askForData<Data>(client, query, { id })).lipsync;
}

export async function waitForStatus(
  client: Client,
  id: string,
  statuses: string | string[],
): Promise<Lipsync> {
  return vi.waitFor(async () => {
    const lipsync = await readLipsync(client, id);
    expect([statuses].flat()).toContain(lipsync?.status);
    return lipsync as Lipsync;
  }, longWait);
}
