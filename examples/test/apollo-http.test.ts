import { type ApolloClient, gql } from '@apollo/client';
import { signUserToken } from 'lipsync-graphql-client/server';
import { describe, expect, test, vi } from 'vitest';
import { testStorage } from '../../test/support/database.ts';
import { openLine } from '../../test/support/line.ts';
import { idOf, startLipsyncApp } from '../../test/support/lipsync-app.ts';
import { connect } from '../apollo-http.ts';

const secret = 'the-secret-that-both-servers-know-0123456789';
/** No job ends by itself. */
const sandbox = { generatingMs: 3_600_000 };

const watch = gql`
  subscription Watch($id: ID!, $after: String) {
    lipsyncProgress(id: $id, after: $after) {
      __typename
      ... on LipsyncProgress { cursor sequence status }
    }
  }
`;
type Update = { lipsyncProgress: { sequence: number; status: string } };

/** Resolves at the first event. `ended` resolves with the sequence of every event. */
async function follow(client: ApolloClient, id: string) {
  const sequences: number[] = [];
  const begun = Promise.withResolvers<void>();
  const ended = new Promise<number[]>((resolve, reject) => {
    client.subscribe<Update>({ query: watch, variables: { id } }).subscribe({
      next({ data, error }) {
        if (!data) return reject(error);
        sequences.push(data.lipsyncProgress.sequence);
        begun.resolve();
        if (data.lipsyncProgress.status === 'CANCELLED') resolve(sequences);
      },
      error: reject,
      complete: () => reject(new Error('The subscription was complete before the lip-sync.')),
    });
  });
  await Promise.race([begun.promise, ended]);
  return { ended };
}

const inputOf = (videoId = '') => ({ video: { videoId }, speech: { script: { text: 'Hello.' } } });

describe("Apollo Client's HttpLink alone", () => {
  test('follows a lip-sync through a restart of the server, and misses no event', async () => {
    const storage = await testStorage();
    await using first = await startLipsyncApp({ sandbox });
    const parts = { storage, upstream: first.sandbox };
    const before = await startLipsyncApp(parts);
    await using line = await openLine(before.url);
    const [videoId] = await before.listVideoIds();
    const id = idOf(await before.create(inputOf(videoId)));
    const { ended } = await follow(connect(`${line.url}/graphql`), id);
    await before.stop();
    const after = await startLipsyncApp(parts);
    await after.cancel(id);
    line.leadTo(after.url);
    const sequences = await ended;
    const log = await after.readEvents(id);
    expect(log.map(({ sequence }) => sequence).slice(-sequences.length)).toEqual(sequences);
    expect(sequences.length).toBeGreaterThan(1);
    await after.stop();
    await storage.remove();
  });

  test('sends a fresh token when the first has expired, and misses no event', async () => {
    await using app = await startLipsyncApp({ env: { AUTH_JWT_SECRET: secret }, sandbox });
    const scopes = ['lipsync:read', 'lipsync:write', 'videos:read'] as const;
    const sign = (expiresInSeconds: number) =>
      signUserToken({ subject: 'anna', scopes, expiresInSeconds }, secret);
    const tokens = [await sign(60), await sign(86_400)];
    const headers = { authorization: `Bearer ${tokens[1]}` };
    const [videoId] = await app.listVideoIds(undefined, headers);
    const id = idOf(await app.create(inputOf(videoId), headers));
    const getToken = vi.fn(async () => tokens.shift() ?? null);
    const { ended } = await follow(connect(`${app.url}/graphql`, getToken), id);
    app.clock.aheadMs = 120_000;
    await vi.waitFor(() => expect(getToken).toHaveBeenCalledTimes(2), { timeout: 60_000 });
    await app.cancel(id, headers);
    const sequences = await ended;
    const log = await app.readEvents(id, headers);
    expect(log.map(({ sequence }) => sequence).slice(-sequences.length)).toEqual(sequences);
    expect(sequences.length).toBeGreaterThan(1);
  });
});
