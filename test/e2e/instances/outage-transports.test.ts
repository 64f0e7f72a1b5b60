import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeLipsync, serverSentEvents, uploadFile, webSocket } from 'lipsync-graphql-client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { signToken } from '../../../src/callbacks/token.ts';
import { connectAgent } from '../../support/agent.ts';
import { silentLog } from '../../support/database.ts';
import { expectSoundLog, idOf, progressSubscription } from '../../support/lipsync-app.ts';
import { askForData, createLipsyncMutation, inputOf, longWait } from '../../support/lipsyncs.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { execute, type Transport, transports } from '../../support/transports.ts';
import { createUpload } from '../../support/uploads.ts';
import { wavHeader } from '../../support/wav.ts';
import { type Fleet, type Instance, openFleet } from './fleet.ts';

// A separate server: the one of the run must stay up for other tests.
let server: PostgresServer;
let dataDir: string;
let fleet: Fleet;
let instances: [Instance, Instance];
let video: string;
beforeAll(async () => {
  server = await startPostgres();
  dataDir = await mkdtemp(join(tmpdir(), 'lipsync-outage-'));
  const url = await server.createDatabase();
  fleet = await openFleet({
    storage: { url, dataDir, log: silentLog, remove: async () => undefined },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
    env: {
      CALLBACK_SECRET: secret,
      POLL_INTERVAL_MS: '500',
      OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1',
    },
  });
  instances = [await fleet.start(), await fleet.start()];
  video = await instances[0].source();
});
afterAll(async () => {
  await fleet.stop();
  await server.remove();
  await rm(dataDir, { recursive: true, force: true });
});

const secret = 'a secret of this test only';
const json = { 'content-type': 'application/json' };
const events = { accept: 'text/event-stream' };
const lists = '{ lipsyncs(first: 1) { nodes { id } } viewer { name } }';

const extensions = { code: 'TEMPORARILY_UNAVAILABLE', retryable: true, retryAfterSeconds: 2 };

/** Where a federated router wants the events. It gets none. */
const routerCallback = {
  callbackUrl: 'http://127.0.0.1:9/callback',
  subscriptionId: 'c4a9d1b8-dc57-44ab-9e5a-6e6189b2b945',
  verifier: 'XXX',
  heartbeatIntervalMs: 5_000,
};

async function readAnswer(response: Response) {
  const { status, headers } = response;
  return { status, retryAfter: headers.get('retry-after'), body: await response.json() };
}

const post = (query: string, variables: object, accept = 'application/json') =>
  fetch(`${instances[0].url}/graphql`, {
    method: 'POST',
    headers: { ...json, accept },
    body: JSON.stringify({ query, variables }),
  });

const isBack = () =>
  vi.waitFor(
    async () => expect((await fetch(`${instances[0].url}/readyz`)).status).toBe(200),
    longWait,
  );

describe('while PostgreSQL is unavailable', () => {
  it('every transport answers TEMPORARILY_UNAVAILABLE, over HTTP with 503 and Retry-After', async () => {
    const [first] = instances;
    const id = idOf(await first.create({ video: { videoId: video }, text: '[[never]] Before' }));
    const upload = await createUpload(first);
    const job = (await fleet.jobsOf(id))[0];
    const { permanentUrl } = (
      await askForData<{ video: { permanentUrl: string } }>(
        first,
        'query ($video: ID!) { video(id: $video) { permanentUrl } }',
        { video },
      )
    ).video;
    await server.stop();

    const input = inputOf(video, 'Meanwhile');
    const search = new URLSearchParams({ query: lists });
    const form = new FormData();
    form.set('operations', JSON.stringify({ query: createLipsyncMutation, variables: { input } }));
    form.set('map', '{}');
    const endpoint = `${first.url}/graphql`;
    const answers = await Promise.all([
      post(createLipsyncMutation, { input }),
      post(lists, {}),
      post(lists, {}, 'application/graphql-response+json'),
      post(progressSubscription, { id }, events.accept),
      post(lists, {}, events.accept),
      post(progressSubscription, { id }, 'multipart/mixed;subscriptionSpec=1.0'),
      post(progressSubscription, { id }, 'multipart/mixed;subscriptionSpec=1.0, application/json'),
      fetch(`${endpoint}?${search}`),
      fetch(
        `${endpoint}?${new URLSearchParams({ query: progressSubscription, variables: JSON.stringify({ id }) })}`,
        { headers: events },
      ),
      fetch(endpoint, {
        method: 'POST',
        headers: { ...json, accept: 'application/json;callbackSpec=1.0, application/json' },
        body: JSON.stringify({
          query: progressSubscription,
          variables: { id },
          extensions: { subscription: routerCallback },
        }),
      }),
      fetch(endpoint, {
        method: 'POST',
        headers: { 'graphql-preflight': '1', 'x-csrf': '1' },
        body: form,
      }),
    ]);
    for (const answer of answers) {
      const { status, retryAfter, body } = await readAnswer(answer);
      expect({ status, retryAfter }).toEqual({ status: 503, retryAfter: '2' });
      expect(body).toEqual({ errors: [{ message: expect.any(String), extensions }] });
    }
    const put = await readAnswer(await fetch(upload.url, { method: 'PUT', body: wavHeader(0) }));
    expect(put).toMatchObject({ status: 503, retryAfter: '2', body: { code: extensions.code } });
    // A video that this instance knows needs no database.
    expect((await fetch(permanentUrl, { redirect: 'manual' })).status).toBe(302);
    const unknown = signToken([secret], { purpose: 'result', id: 'AAAAAAAA-1' });
    const link = await readAnswer(await fetch(`${first.url}/results/${unknown}`));
    expect(link).toMatchObject({
      status: 503,
      retryAfter: '2',
      body: { errors: [{ extensions }] },
    });
    // Clients of the protocol drop the body of another status, and with it the code.
    await using agent = await connectAgent(first);
    for (const [tool, given] of [
      ['list_lipsyncs', {}],
      ['wait_for_lipsync', { id }],
      ['create_lipsync', { ...input, idempotencyKey: 'agent' }],
      ['cancel_lipsync', { id }],
    ] as const) {
      const answer = await agent.call(tool, given);
      expect([tool, answer]).toMatchObject([tool, { isError: true, content: extensions }]);
    }
    // A callback is a hint: it is answered as always.
    const callback = await fetch(job?.replyUrl ?? '', {
      method: 'POST',
      headers: json,
      body: '{}',
    });
    expect(callback.status).toBe(200);
    expect((await fetch(`${first.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${first.url}/livez`)).status).toBe(200);

    await server.start();
    await isBack();
    // The upload still waits for its file.
    const silence = Buffer.concat([wavHeader(32_000), Buffer.alloc(32_000)]);
    expect((await fetch(upload.url, { method: 'PUT', body: silence })).status).toBe(200);
    await fleet.finishJobs();
  });

  it.each(transports)('%s gives the same error', async (transport: Transport) => {
    await server.stop();
    const operation = { query: '{ lipsyncs(first: 1) { nodes { id } } }' };
    const { data, errors } = await execute(transport, { url: instances[1].url, operation });
    expect({ data, errors }).toEqual({
      data: undefined,
      errors: [{ message: expect.any(String), extensions }],
    });
    await server.start();
    await isBack();
  });
});

describe('restarts of PostgreSQL under load', () => {
  it('no caller gets a masked error, nothing is lost and nothing is made twice', async () => {
    await fleet.forgetRequests();
    const backOff = { firstMs: 50, maxMs: 500, attempts: 100 };
    const kitOn = (n: number) => ({
      url: `${instances[n % 2 === 0 ? 0 : 1].url}/graphql`,
      transport: n % 4 < 2 ? serverSentEvents() : webSocket(),
      backOff,
    });
    const started = (await fleet.jobs()).length;
    const silence = new Blob([wavHeader(32_000), new Uint8Array(32_000)], { type: 'audio/wav' });
    const made = Promise.all(
      Array.from({ length: 24 }, async (_, n) => {
        const speech = await speechOf(n);
        return makeLipsync(kitOn(n), { video: { videoId: video }, speech });
      }),
    );
    async function speechOf(n: number) {
      if (n % 3 > 0) return { script: { text: `Under load ${n}` } };
      const upload = await uploadFile(kitOn(n), silence, { kind: 'AUDIO' });
      expect(upload).toMatchObject({ __typename: 'UploadReady' });
      return { uploadId: (upload as { id: string }).id };
    }

    const codes = new Set<unknown>();
    let isOver = false;
    const readers = instances.map(async (instance) => {
      while (!isOver) {
        const { errors = [] } = await instance.ask(lists);
        for (const error of errors) codes.add(error.extensions?.code);
      }
    });
    for (let restart = 0; restart < 3; restart += 1) {
      const before = (await fleet.jobs()).length;
      await vi.waitFor(
        async () =>
          expect((await fleet.jobs()).length).toBeGreaterThan(Math.min(before, started + 20)),
        longWait,
      );
      await server.restart();
    }
    const ends = await made;
    isOver = true;
    await Promise.all(readers);

    expect([...codes]).toEqual(['TEMPORARILY_UNAVAILABLE']);
    for (const end of ends) expect(end).toMatchObject({ outcome: 'COMPLETED' });
    const jobs = (await fleet.jobs()).slice(started);
    expect(jobs).toHaveLength(24);
    expect(new Set(jobs.map(({ replyRef }) => replyRef)).size).toBe(24);
    const ids = ends.flatMap((end) =>
      'lipsync' in end && end.lipsync !== null ? [end.lipsync.id] : [],
    );
    expect(new Set(ids).size).toBe(24);
    for (const id of ids) expectSoundLog(await instances[0].readEvents(id));
  }, 120_000);
});
