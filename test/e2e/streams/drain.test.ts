import pLimit from 'p-limit';
import { beforeEach, describe, expect, test } from 'vitest';
import type { FakeUpstream } from '../../support/fake-upstream/server.ts';
import { createGraphQLClient, readEvents } from '../../support/graphql-client.ts';
import { createLipsync, readVideoIds } from '../../support/lipsyncs.ts';
import type { Program } from '../../support/program.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';
import { usePrograms } from '../programs.ts';

const email = 'drain@streams.example';
const perTransport = 250;

/** This process is the client of all: with all at once it would miss the three seconds for `connection_init`. */
const connecting = pLimit(50);

const programs = usePrograms({ accounts: [{ email, maxJobs: 8 }], running: 200 });
let program: Program;
let upstream: FakeUpstream;
beforeEach(() => {
  upstream = programs.upstream;
});

async function start(): Promise<string> {
  program = programs.startLive();
  return program.url();
}

async function create(url: string, count: number): Promise<string[]> {
  const client = createGraphQLClient(url);
  const [id] = await readVideoIds(client);
  const created = await Promise.all(
    Array.from({ length: count }, (_, n) =>
      createLipsync(client, { video: { videoId: id }, text: `Number ${n}` }),
    ),
  );
  return created.map((lipsync) => lipsync.id);
}

const subscription = `subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) {
  ... on LipsyncProgress { cursor sequence status } ... on LipsyncError { code message } } }`;

type Event = { cursor: string; sequence: number; status: string };

/** A subscriber that resumes over as many connections as needed. */
class Watcher {
  readonly events: Event[] = [];
  isComplete = false;
  readonly #id: string;

  constructor(id: string) {
    this.#id = id;
  }

  /** Resolves at the first event; `closed` gives the close code. */
  async overWebSocket(url: string): Promise<{ closed: Promise<number> }> {
    const client = await connecting(() => RawWebSocket.open(url));
    client.subscribe('1', subscription, { id: this.#id, after: this.#cursor });
    const closed = client.closed.then(({ code }) => {
      for (const { type, payload } of client.messages) {
        if (type === 'next') this.#take(payload?.data);
        if (type === 'complete') this.isComplete = true;
      }
      return code;
    });
    const { type } = await client.message((message) => /next|complete/.test(message.type));
    if (this.events.length > 0 || type === 'complete') {
      await client.message((message) => message.type === 'complete');
      client.socket.close();
    }
    return { closed };
  }

  /** Resolves at the first event; `closed` resolves at the end of the stream. */
  async overSse(url: string): Promise<{ closed: Promise<void> }> {
    const request = {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        ...(this.#cursor === null ? {} : { 'last-event-id': this.#cursor }),
      },
      body: JSON.stringify({ query: subscription, variables: { id: this.#id } }),
    };
    const response = await connecting(() => fetch(`${url}/graphql`, request));
    const first = Promise.withResolvers<void>();
    const read = async () => {
      for await (const { event, data } of readEvents(response.body as ReadableStream)) {
        if (event === 'complete') this.isComplete = true;
        else this.#take((JSON.parse(data) as { data: Record<string, unknown> }).data);
        first.resolve();
      }
    };
    const closed = read();
    await first.promise;
    return { closed };
  }

  get #cursor(): string | null {
    return this.events.at(-1)?.cursor ?? null;
  }

  #take(data: Record<string, unknown> | null | undefined): void {
    this.events.push(data?.lipsyncProgress as Event);
  }
}

/** Subscribers of these lip-syncs, half of them over each transport. */
function gather(ids: string[]) {
  const half = () =>
    Array.from({ length: perTransport }, (_, n) => new Watcher(ids[n % ids.length] ?? ''));
  return { bySocket: half(), byStream: half() };
}

describe('SIGTERM with five hundred subscriptions', () => {
  test('closes every subscription without complete, and each resumes without missing an event', async () => {
    const before = await start();
    // Eight run and two wait.
    const ids = await create(before, 10);
    const jobs = await Promise.all(Array.from({ length: 8 }, () => upstream.nextJob()));
    const { bySocket, byStream } = gather(ids);
    const [sockets, streams] = await Promise.all([
      Promise.all(bySocket.map((each) => each.overWebSocket(before))),
      Promise.all(byStream.map((each) => each.overSse(before))),
    ]);
    expect(await program.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    // The drain finished and was not aborted after nine and a half seconds.
    expect(program.lines.at(-1)?.msg).toBe('stopped');
    const codes = await Promise.all(sockets.map(({ closed }) => closed));
    expect(new Set(codes)).toEqual(new Set([1012]));
    await Promise.all(streams.map(({ closed }) => closed));
    const subscribers = [...bySocket, ...byStream];
    expect(subscribers.filter(({ isComplete }) => isComplete)).toEqual([]);
    expect(program.lines.filter(({ level }) => level === 'error')).toEqual([]);

    // Some jobs end while the program is down, the others later.
    for (const job of jobs.slice(0, 4)) await job.become(1);
    const after = await start();
    // Each subscriber resumes over the other transport.
    const back = [
      ...byStream.map((each) => each.overWebSocket(after)),
      ...bySocket.map((each) => each.overSse(after)),
    ];
    for (const job of jobs.slice(4)) await job.become(8);
    for (let waiting = 0; waiting < 2; waiting += 1) await (await upstream.nextJob()).become(7);
    const ended: { closed: Promise<unknown> }[] = await Promise.all(back);
    await Promise.all(ended.map(({ closed }) => closed));
    for (const { events, isComplete } of subscribers) {
      expect(isComplete).toBe(true);
      const first = events[0]?.sequence ?? 0;
      expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, at) => first + at));
      expect(['COMPLETED', 'FAILED', 'MODERATED']).toContain(events.at(-1)?.status);
    }
  });

  test('closes subscriptions at once while a POST is still under way, and answers that POST before it exits', async () => {
    const url = await start();
    const [id = ''] = await create(url, 1);
    const [socket, stream] = [new Watcher(id), new Watcher(id)];
    const [bySocket, byStream] = await Promise.all([
      socket.overWebSocket(url),
      stream.overSse(url),
    ]);
    const release = upstream.hold('POST /videos/lipsync');
    const slow = create(url, 1);
    await expect.poll(() => upstream.countOf('POST /videos/lipsync'), { timeout: 60_000 }).toBe(2);
    program.child.kill('SIGTERM');
    expect(await bySocket.closed).toBe(1012);
    await byStream.closed;
    expect([socket.isComplete, stream.isComplete]).toEqual([false, false]);
    // The caller of the POST still gets its answer.
    release();
    expect(await slow).toEqual([expect.stringMatching(/./)]);
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  test('exits in time with a client that never answers the close frame', async () => {
    const url = await start();
    const [id = ''] = await create(url, 1);
    const client = await RawWebSocket.open(url);
    client.subscribe('1', subscription, { id });
    await client.message(({ type }) => type === 'next');
    client.socket.pause();
    await program.kill('SIGTERM');
    // The drain finished and was not aborted.
    expect(program.lines.at(-1)?.msg).toBe('stopped');
    client.socket.resume();
    expect((await client.closed).code).toBe(1012);
  });
}, 120_000);
