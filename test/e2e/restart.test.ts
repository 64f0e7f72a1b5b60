import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { GraphQLClient } from '../support/graphql-client.ts';
import { createLipsync, createLipsyncMutation, readVideoIds } from '../support/lipsyncs.ts';
import { openStream } from '../support/open-stream.ts';
import { RawWebSocket } from '../support/raw-websocket.ts';
import { usePrograms } from './programs.ts';

const programs = usePrograms();

/** Read before a POST is held: the read of the videos would wait behind a program that stops. */
const newestVideo = async (client: GraphQLClient) => ({
  videoId: (await readVideoIds(client)).at(-1),
});

const watchDocument =
  'subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { sequence status } } }';

/** A WebSocket whose subscription to a lip-sync has received its first event. */
async function openSocket(url: string, id: string): Promise<RawWebSocket> {
  const socket = await RawWebSocket.open(url);
  socket.subscribe('1', watchDocument, { id });
  await socket.message(({ type }) => type === 'next');
  return socket;
}

describe('stops on SIGTERM', () => {
  test('once the POST under way has its answer: no further POST, 1012 on WebSockets, no complete on streams, 503 on /readyz', async () => {
    const program = programs.startLive();
    const url = await program.url();
    const client = await program.client();
    const video = await newestVideo(client);
    const { id } = await createLipsync(client, { video, text: 'One.' });
    const [socket, late, stream] = await Promise.all([
      openSocket(url, id),
      openSocket(url, id),
      openStream('SSE by GET', { url, id }),
    ]);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const release = programs.upstream.hold('POST /videos/lipsync');
    const second = createLipsync(client, { video, text: 'Two.' });
    await untilPosted(2);

    program.child.kill('SIGTERM');
    await program.line(({ msg }) => msg === 'stopping');
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    // An operation that arrives on an open socket from now on causes no POST.
    const input = { video, speech: { script: { text: 'Too late.' } } };
    late.subscribe('late', createLipsyncMutation, { input });
    const isSettled = () =>
      late.messages.some((message) => message.id === 'late') ||
      late.socket.readyState !== WebSocket.OPEN ||
      programs.upstream.countOf('POST /videos/lipsync') > 2;
    await expect.poll(isSettled, { timeout: 60_000 }).toBe(true);
    release();

    expect((await second).status).toBe('SUBMITTED');
    expect((await socket.closed).code).toBe(1012);
    await Promise.all([late.closed, stream.ended]);
    const text = stream.text();
    expect(text).toMatch(/^retry: \d+\n/);
    expect(text).not.toContain('complete');
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(programs.upstream.countOf('POST /videos/lipsync')).toBe(2);
  });

  test('and after a restart a stream resumes after its last event', async () => {
    const before = programs.startLive();
    const client = await before.client();
    const { id } = await createLipsync(client, { text: 'One.' });
    const job = await programs.upstream.nextJob();
    let last: string | null = null;
    let sequence = 0;
    for await (const event of client.watchSse<{ lipsyncProgress: { sequence: number } }>(
      watchDocument,
      { id },
    )) {
      last = event.id;
      sequence = event.data.data?.lipsyncProgress.sequence ?? 0;
      break;
    }
    await before.kill('SIGTERM');
    await job.become(1);

    const again = await programs.startLive().client();
    const headers = { 'last-event-id': last ?? '' };
    const events: { sequence: number; status: string }[] = [];
    for await (const event of again.watchSse<{
      lipsyncProgress: { sequence: number; status: string };
    }>(watchDocument, { id }, { headers })) {
      if (event.data.data) events.push(event.data.data.lipsyncProgress);
    }
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, at) => sequence + 1 + at));
    expect(events.at(-1)?.status).toBe('COMPLETED');
  });
});

describe('starts again after kill -9', () => {
  test('and finishes running and submitting lip-syncs with one POST each', async () => {
    const before = programs.startLive();
    const client = await before.client();
    const video = await newestVideo(client);
    const { id: runningId } = await createLipsync(client, { video, text: 'Running.' });
    const runningJob = await programs.upstream.nextJob();
    const release = programs.upstream.hold('POST /videos/lipsync');
    const lost = createLipsync(client, { video, text: 'On its way.' }).catch(() => null);
    await untilPosted(2);
    await before.kill('SIGKILL');
    await lost;
    release();
    const lostJob = await programs.upstream.nextJob();
    await lostJob.become(10);

    const again = await programs.startLive().client();
    const list = await again.ask<{ lipsyncs: { nodes: { id: string; status: string }[] } }>(
      '{ lipsyncs { nodes { id status } } }',
    );
    const ids = list.data?.lipsyncs.nodes.map(({ id }) => id) ?? [];
    expect(ids.length).toBe(2);
    expect(ids).toContain(runningId);
    const ends = ids.map(async (id) => {
      const statuses: string[] = [];
      for await (const { data: event } of again.watchWs<{ lipsyncProgress: { status: string } }>(
        watchDocument,
        { id },
      )) {
        if (event) statuses.push(event.lipsyncProgress.status);
        if (statuses.at(-1) === 'GENERATING') await lostJob.become(1);
      }
      return statuses.at(-1);
    });
    await runningJob.become(1);
    expect(await Promise.all(ends)).toEqual(['COMPLETED', 'COMPLETED']);
    expect(programs.upstream.countOf('POST /videos/lipsync')).toBe(2);
  });
});

/** Resolves once the upstream has so many POSTs of a lip-sync, answered or not. */
async function untilPosted(count: number): Promise<void> {
  await expect.poll(() => programs.upstream.countOf('POST /videos/lipsync')).toBe(count);
}
