import { SignJWT } from 'jose';
import {
  createLipsync,
  type LipsyncEvent,
  type Transport,
  type WatchableServer,
  type WatchOptions,
  watchLipsync,
  webSocket,
} from 'lipsync-graphql-client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { testStorage } from '../support/database.ts';
import { type Line, openLine } from '../support/line.ts';
import { expectSoundLog, idOf, type LipsyncApp, startLipsyncApp } from '../support/lipsync-app.ts';
import { readVideoIds } from '../support/lipsyncs.ts';
import { fastBackOff, transports } from './transports.ts';

const jwtSecret = 'a secret of at least thirty-two bytes';
const oneMinuteMs = 60_000;

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    env: { AUTH_JWT_SECRET: jwtSecret, ALLOW_ANONYMOUS: 'true' },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }], generatingMs: 1_000 },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());

const createWithText = async (text: string, headers = {}) =>
  idOf(await app.create({ video: { videoId: video }, text }, headers));

/** Signs a token that is valid for one minute of the server's clock. */
const signToken = () =>
  new SignJWT({ sub: 'ada', scope: 'lipsync:read lipsync:write videos:read' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(new Date(Date.now() + app.clock.aheadMs + oneMinuteMs))
    .sign(new TextEncoder().encode(jwtSecret));

const readSequences = async (id: string, headers = {}) =>
  (await app.readEvents(id, headers)).map(({ sequence }) => sequence);

const countWatchedOnServer = () => app.services.lipsyncs.watchedCount();

describe.each(transports)('over $name', ({ make }) => {
  const serverAt = (line: Line): WatchableServer => ({
    url: `${line.url}/graphql`,
    transport: make(),
    backOff: fastBackOff,
  });

  /** Watches until the end and returns the events; `onEvent` is called with each as it arrives. */
  async function collect(
    server: WatchableServer,
    id: string,
    { onEvent, ...options }: WatchOptions & { onEvent?: (event: LipsyncEvent) => unknown } = {},
  ): Promise<LipsyncEvent[]> {
    const seen: LipsyncEvent[] = [];
    for await (const update of watchLipsync(server, id, options)) {
      if (update.__typename !== 'LipsyncProgress') throw new Error(update.message);
      seen.push(update);
      await onEvent?.(update);
    }
    return seen;
  }

  const sequencesOf = (events: LipsyncEvent[]) => events.map(({ sequence }) => sequence);

  describe('works', () => {
    test('delivers every event once when the connection is cut after each of them', async () => {
      await using line = await openLine(app.url);
      const id = await createWithText('Cut off');
      const [first] = await app.readEvents(id);
      const seen = await collect(serverAt(line), id, {
        after: first?.cursor ?? '',
        onEvent: line.cut,
      });
      expect(sequencesOf(seen)).toEqual((await readSequences(id)).slice(1));
      expectSoundLog(await app.readEvents(id));
      expect(seen.at(-1)).toMatchObject({
        status: 'COMPLETED',
        lipsync: { id, text: 'Cut off' },
      });
      expect(seen.at(-1)?.lipsync.result?.url).toMatch(/\.mp4$/);
      expect(line.count).toBeGreaterThan(1);
    });

    test('delivers the events of a network outage afterwards', async () => {
      await using line = await openLine(app.url);
      const id = await createWithText('[[never]] Gone for a while');
      const seen = await collect(serverAt(line), id, {
        async onEvent({ status }) {
          if (status !== 'GENERATING' || line.count > 1) return;
          line.breakDown();
          await app.finishJob(id);
          await app.waitForEnd(id);
          line.mend();
        },
      });
      expect(seen.at(-1)?.status).toBe('COMPLETED');
      const log = await readSequences(id);
      expect(sequencesOf(seen)).toEqual(log.slice(log.indexOf(seen[0]?.sequence ?? 0)));
    });

    test('continues after a reload with the id, and from the last cursor with the missed events', async () => {
      await using line = await openLine(app.url);
      const id = await createWithText('Reloaded');
      let cursor: string | null = null;
      for await (const update of watchLipsync(serverAt(line), id)) {
        if (update.__typename === 'LipsyncProgress') ({ cursor } = update);
        break;
      }
      await app.waitForEnd(id);
      const log = await readSequences(id);
      expect(sequencesOf(await collect(serverAt(line), id))).toEqual(log.slice(-1));
      const resumed = sequencesOf(await collect(serverAt(line), id, { after: cursor }));
      expect(resumed).toEqual(log.slice(-resumed.length));
      expect(resumed.length).toBeGreaterThan(0);
      const [end] = await collect(serverAt(line), id);
      expect(await collect(serverAt(line), id, { after: end?.cursor ?? '' })).toEqual([]);
    });

    test('reconnects with a fresh token when the token expires', async () => {
      await using line = await openLine(app.url);
      const id = await createWithText('[[never]] Long', {
        authorization: `Bearer ${await signToken()}`,
      });
      const tokens: string[] = [];
      const token = async () => {
        tokens.push(await signToken());
        if (tokens.length > 1) await app.finishJob(id);
        return tokens.at(-1) ?? '';
      };
      const seen = await collect({ ...serverAt(line), token }, id, {
        onEvent({ status }) {
          // The loop continues only if the server closes the stream because of the expired token.
          if (status === 'GENERATING' && tokens.length === 1) app.clock.aheadMs += 2 * oneMinuteMs;
        },
      });
      expect(seen.at(-1)?.status).toBe('COMPLETED');
      expect(new Set(tokens).size).toBe(2);
    });
  });

  describe('refuses', () => {
    test('an unknown id with NotFoundError, without throwing', async () => {
      const updates = await Array.fromAsync(
        watchLipsync({ url: `${app.url}/graphql`, transport: make() }, 'TGlwc3luYzp4'),
      );
      expect(updates).toMatchObject([{ __typename: 'NotFoundError', code: 'NOT_FOUND' }]);
    });

    test('an invalid cursor with InvalidInputError and its path', async () => {
      const id = await createWithText('Odd');
      const target = { url: `${app.url}/graphql`, transport: make() };
      const updates = await Array.fromAsync(watchLipsync(target, id, { after: 'odd' }));
      expect(updates).toMatchObject([
        { __typename: 'InvalidInputError', issues: [{ path: ['after'] }] },
      ]);
    });

    test('an invalid token with NotAuthenticatedError', async () => {
      const target = { url: `${app.url}/graphql`, transport: make(), token: 'bad' };
      const updates = await Array.fromAsync(watchLipsync(target, await createWithText('Mine')));
      expect(updates).toMatchObject([{ __typename: 'NotAuthenticatedError' }]);
    });
  });

  describe('keeps out', () => {
    test('watchers that left the loop: the server releases them before the next event', async () => {
      await using line = await openLine(app.url);
      const id = await createWithText('[[never]] Left');
      for await (const _ of watchLipsync(serverAt(line), id)) {
        expect(countWatchedOnServer()).toBeGreaterThan(0);
        break;
      }
      await vi.waitFor(() => expect(countWatchedOnServer()).toBe(0), { timeout: 60_000 });
      expect(line.count).toBe(1);
    });
  });
});

test('keeps a silent socket while it answers pings, and reopens it when it does not', async () => {
  await using line = await openLine(app.url);
  const id = await createWithText('[[never]] Quiet');
  await app.waitForStatus(id, 'GENERATING');
  const inner = webSocket({ silenceMs: 6_000 });
  const thirdHeartbeat = Promise.withResolvers<void>();
  let heartbeats = 0;
  const transport: Transport = (server, operation, sink) => {
    const heartbeat = () => {
      heartbeats += 1;
      if (heartbeats === 3) thirdHeartbeat.resolve();
      sink.heartbeat();
    };
    return inner(server, operation, { ...sink, heartbeat });
  };
  const server = { url: `${line.url}/graphql`, transport, backOff: fastBackOff };
  const watching = Array.fromAsync(watchLipsync(server, id));
  await thirdHeartbeat.promise;
  expect(line.count).toBe(1);
  line.deaden();
  await vi.waitFor(() => expect(line.count).toBe(2), { timeout: 60_000 });
  await app.finishJob(id);
  expect((await watching).at(-1)).toMatchObject({ status: 'COMPLETED' });
});

test('resumes after the last event when the server restarts', async () => {
  const storage = await testStorage();
  const parts = { storage, upstream: app.sandbox };
  try {
    const before = await startTestApp(parts);
    await using line = await openLine(before.url);
    const client = { url: `${line.url}/graphql`, backOff: { ...fastBackOff, attempts: 100_000 } };
    const [videoId = ''] = await readVideoIds(before);
    const answer = await createLipsync(client, {
      video: { videoId },
      speech: { script: { text: '[[never]] Across a restart' } },
    });
    if (answer.__typename !== 'CreateLipsyncSuccess') throw new Error(answer.__typename);
    const { id } = answer.lipsync;
    const firstUpdates: Promise<unknown>[] = [];
    const watching = transports.map(async ({ make }) => {
      const updates = watchLipsync({ ...client, transport: make() }, id);
      const first = updates.next();
      firstUpdates.push(first);
      return [(await first).value, ...(await Array.fromAsync(updates))];
    });
    await Promise.all(firstUpdates);
    await before.stop();
    await using after = await startTestApp(parts);
    line.leadTo(after.url);
    await app.finishJob(id);
    for (const seen of await Promise.all(watching)) {
      const sequences = seen.map(
        (update) => update?.__typename === 'LipsyncProgress' && update.sequence,
      );
      expect(sequences).toEqual(sequences.map((_, at) => Number(sequences[0]) + at));
      expect(seen.at(-1)).toMatchObject({ status: 'COMPLETED' });
    }
  } finally {
    await storage.remove();
  }
});
