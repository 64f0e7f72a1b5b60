import { createHash } from 'node:crypto';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestStorage, testStorage } from '../support/database.ts';
import { type Behaviour, fakeToken } from '../support/fake-upstream/behaviour.ts';
import { routeOf } from '../support/fake-upstream/routes.ts';
import { type FakeUpstream, startFakeUpstream } from '../support/fake-upstream/server.ts';
import { createGraphQLClient, type GraphQLClient } from '../support/graphql-client.ts';
import { createLipsync, readLipsync, withHeaders } from '../support/lipsyncs.ts';
import { type Program, startProgram } from '../support/program.ts';
import { createUpload, uploadFile } from '../support/uploads.ts';
import { wavHeader } from '../support/wav.ts';

const plusMail = 'voice-over+lip-sync@studio-one.example';
const otherMail = 'b-team@studio-two.example';
const apiKey = 'k3y-for-the-live-test';

type Variant = {
  name: string;
  behaviour: Partial<Behaviour>;
  env: Record<string, string>;
  authorization: string | null;
};

const variants: Variant[] = [
  {
    name: 'the upstream of December 2024 with one account',
    behaviour: {
      accounts: [{ email: plusMail, maxJobs: 3 }],
      order: 'newest',
      schedulerId: 'videoId',
      callbacks: 'once',
      callbackType: 'text/plain',
    },
    env: { ALLOW_ANONYMOUS: 'true' },
    authorization: null,
  },
  {
    name: 'the upstream of 2026 with two accounts, without callbacks, with the oldest first in short pages and numbers as strings',
    behaviour: {
      accounts: [
        { email: plusMail, maxJobs: 2 },
        { email: otherMail, maxJobs: 2 },
      ],
      order: 'oldest',
      schedulerId: 'id',
      running: 200,
      pageHints: 'next_offset and has_more',
      pageLimit: 20,
      deletes: 'with JSON',
      callbacks: 'none',
      writesNumbersAsStrings: true,
      listsReplyRef: true,
      omits: ['video_status_name', 'video_status_final', 'created_at', 'lip_sync', 'seed'],
    },
    env: {
      API_KEYS: `live:${createHash('sha256').update(apiKey).digest('hex')}:lipsync:read lipsync:write videos:read videos:write`,
    },
    authorization: `Bearer ${apiKey}`,
  },
  {
    name: 'an upstream that is slow, sends callbacks early and twice, and announces more pages by next_offset alone',
    behaviour: {
      accounts: [{ email: plusMail, maxJobs: 8 }],
      order: 'newest',
      schedulerId: 'id',
      running: 404,
      pageHints: 'next_offset',
      pageLimit: 20,
      hasErrorCode: false,
      callbacks: 'twice',
      callbackType: 'text/plain; charset=utf-8',
      nestsReplyRef: true,
      callsBeforeAnswer: true,
      omits: ['video_status', 'output_width', 'output_height', 'img_url', 'off_peak', 'model'],
      addsFields: true,
      delayMs: 60,
    },
    env: { ALLOW_ANONYMOUS: 'true' },
    authorization: null,
  },
];

/** A second of silence: 8 kHz, 16 bit, mono. */
function wav(): Buffer<ArrayBuffer> {
  const samples = Buffer.alloc(16_000);
  return Buffer.concat([wavHeader(samples.length), samples]);
}

const watchDocument = `subscription ($id: ID!) { lipsyncProgress(id: $id) { __typename
  ... on LipsyncProgress { cursor sequence status percent lipsync { id status result { url } } }
  ... on LipsyncError { code message } } }`;

/** Without the cursor: the stream must send `id:` anyway. */
const bareDocument = `subscription ($id: ID!) { lipsyncProgress(id: $id) { __typename
  ... on LipsyncProgress { sequence status } } }`;

type Progress = {
  sequence: number;
  status: string;
  percent: number;
  cursor: string;
  lipsync: { id: string; status: string; result: { url: string | null } | null };
};

/** Reads a subscription to its end; `seen` resolves once a status has arrived. */
function follow(results: AsyncIterable<{ data?: Record<string, unknown> | null }>) {
  const events: Progress[] = [];
  const waiting: { status: string; resolve: () => void }[] = [];
  const ended = (async () => {
    for await (const { data } of results) {
      const event = data?.lipsyncProgress as Progress;
      events.push(event);
      for (const { status, resolve } of waiting) if (status === event.status) resolve();
    }
    return events;
  })();
  const seen = (status: string) =>
    Promise.race([
      new Promise<void>((resolve) => {
        if (events.some((event) => event.status === status)) resolve();
        else waiting.push({ status, resolve });
      }),
      ended,
    ]);
  return { events, ended, seen };
}

/** A browser's EventSource whose connection a test can cut, and which reconnects only when the test allows it. */
function openEventSource(url: string, authorization: string | null) {
  const events: { id: string; sequence: number; status: string }[] = [];
  const lastEventIds: (string | null)[] = [];
  const completed = Promise.withResolvers<void>();
  const reopened = Promise.withResolvers<void>();
  const first = Promise.withResolvers<void>();
  let cut = () => {};
  const source = new EventSource(url, {
    fetch: async (address, init) => {
      const headers: Record<string, string> = { ...init.headers };
      lastEventIds.push(headers['Last-Event-ID'] ?? null);
      if (lastEventIds.length > 1) await reopened.promise;
      const controller = new AbortController();
      const response = await fetch(address, {
        headers: { ...headers, ...(authorization === null ? {} : { authorization }) },
        signal: AbortSignal.any([init.signal as AbortSignal, controller.signal]),
      });
      const reader = response.body?.getReader();
      cut = () => controller.abort();
      const body = {
        getReader: () => ({
          read: async () => {
            const over = { done: true as const };
            return (await reader?.read().catch(() => over)) ?? over;
          },
          cancel: async () => reader?.cancel(),
        }),
      };
      const { status, redirected } = response;
      return { body, url: response.url, status, redirected, headers: response.headers };
    },
  });
  source.addEventListener('next', (event) => {
    const data = JSON.parse(String(event.data)) as {
      data: { lipsyncProgress: { sequence: number; status: string } };
    };
    events.push({ id: event.lastEventId, ...data.data.lipsyncProgress });
    first.resolve();
  });
  source.addEventListener('complete', () => {
    source.close();
    completed.resolve();
  });
  return {
    events,
    lastEventIds,
    first: first.promise,
    completed: completed.promise,
    cut: () => cut(),
    letBack: () => reopened.resolve(),
    close: () => source.close(),
  };
}

describe.each(variants)('live, on $name', ({ behaviour, env, authorization }) => {
  const headers: Record<string, string> = authorization === null ? {} : { authorization };
  const text = 'Willkommen, dear “friends”! 🎬';
  const audio = wav();
  const sourceIds: string[] = [];
  let storage: TestStorage;
  let upstream: FakeUpstream;
  let program: Program;
  let url: string;
  let client: GraphQLClient;
  let sourceId: string;
  let resultId: string;
  let audioPath: string;

  beforeAll(async () => {
    storage = await testStorage();
    upstream = await startFakeUpstream(behaviour);
    for (let number = 1; number <= 45; number += 1) {
      sourceIds.push(upstream.addVideo(plusMail, `made earlier, number ${number}`));
    }
    program = startProgram({
      USEAPI_BASE_URL: upstream.baseUrl,
      USEAPI_TOKEN: fakeToken,
      DATA_DIR: storage.dataDir,
      ...(storage.url === undefined ? {} : { DATABASE_URL: storage.url }),
      PORT: '0',
      POLL_INTERVAL_MS: '800',
      LOG_LEVEL: 'trace',
      ...env,
    });
    url = await program.url();
    client = createGraphQLClient(url);
  });

  afterAll(async () => {
    await program?.kill('SIGTERM');
    await upstream?.close();
    await storage?.remove();
  });

  test('lists every video of the account once', async () => {
    const { data, errors } = await client.ask<{
      videos: { nodes: { id: string; prompt: string; status: string }[] };
    }>(
      '{ videos(first: 100) { ... on VideoConnection { nodes { id prompt status } } ... on LipsyncError { code message } } }',
      {},
      headers,
    );
    const nodes = data?.videos.nodes ?? [];
    sourceId = nodes.find(({ prompt }) => prompt === 'made earlier, number 45')?.id ?? '';
    expect(errors).toBeUndefined();
    expect(nodes.map(({ prompt }) => prompt).toSorted()).toEqual(
      sourceIds.map((_, at) => `made earlier, number ${at + 1}`).toSorted(),
    );
    expect(new Set(nodes.map(({ status }) => status))).toEqual(new Set(['COMPLETED']));
  });

  test('lip-syncs an uploaded sound, watched over WebSocket', async () => {
    const upload = await createUpload(withHeaders(client, headers), { size: audio.length });
    expect(upload.url.startsWith(`${url}/uploads/`)).toBe(true);
    const put = await fetch(upload.url, { method: 'PUT', body: audio });
    expect(await put.json()).toMatchObject({ id: upload.id, status: 'READY' });
    expect(put.status).toBe(200);

    const { id, reference } = await createLipsync(withHeaders(client, headers), {
      video: { videoId: sourceId },
      speech: { uploadId: upload.id },
      keepOriginalSound: true,
      maxJobs: 2,
      reference: 'order 17',
    });
    expect(reference).toBe('order 17');
    const job = await upstream.nextJob();
    const watching = follow(client.watchWs(watchDocument, { id }, { headers }));
    await job.become(10);
    await watching.seen('GENERATING');
    const statuses = await job.become(1);
    expect(statuses.every((status) => status === 200)).toBe(true);
    const events = await watching.ended;

    expect(events.at(-1)).toMatchObject({ status: 'COMPLETED', percent: 100 });
    expect(events.at(-1)?.lipsync.result?.url).toMatch(/\.mp4$/);
    expect(events.map(({ sequence }) => sequence)).toEqual(
      events.map((_, at) => (events[0]?.sequence ?? 0) + at),
    );
    const posted = JSON.parse(
      upstream.requests
        .find((seen) => routeOf(seen)?.route === 'POST /videos/lipsync')
        ?.body.toString() ?? '',
    ) as Record<string, unknown>;
    audioPath = String(posted.audio_path);
    expect(posted).toEqual({
      video_id: sourceIds[44],
      audio_path: expect.stringMatching(/^lip\/16044\/\d+\.bin$/),
      original_sound_switch: true,
      maxJobs: 2,
      replyUrl: expect.stringContaining(`${url}/callbacks/`),
      replyRef: job.replyRef,
    });
    expect(upstream.jobs.length).toBe(1);
  });

  test('lip-syncs a text, watched by an EventSource that reconnects: no event is missing or repeated', async () => {
    const voices = await client.ask<{ voices: { nodes: { id: string; name: string }[] } }>(
      '{ voices { ... on VoiceList { nodes { id name previewUrl } } ... on LipsyncError { code } } }',
      {},
      headers,
    );
    const voice = voices.data?.voices.nodes.find(({ name }) => name === 'Isabella');
    expect(voice).toMatchObject({
      previewUrl: 'https://media.pixverse.ai/pixverse/mp3/lipsync/tts/3.mp3',
    });
    const { id } = await createLipsync(withHeaders(client, headers), {
      video: { videoId: sourceId },
      speech: { script: { text, voiceId: voice?.id } },
    });
    const job = await upstream.nextJob();
    const search = new URLSearchParams({
      query: bareDocument,
      variables: JSON.stringify({ id }),
    });
    const source = openEventSource(`${url}/graphql?${search}`, authorization);
    const watching = follow(client.watchWs(watchDocument, { id }, { headers }));
    await source.first;
    source.cut();
    await job.become(10);
    await watching.seen('GENERATING');
    source.letBack();
    await job.become(1);
    await watching.ended;
    await source.completed;

    expect(source.lastEventIds).toEqual([null, source.events[0]?.id]);
    expect(source.events.every((event) => event.id !== '')).toBe(true);
    expect(source.events.map(({ sequence }) => sequence)).toEqual(
      source.events.map((_, at) => (source.events[0]?.sequence ?? 0) + at),
    );
    expect(source.events.map(({ status }) => status)).toContain('GENERATING');
    expect(source.events.at(-1)?.status).toBe('COMPLETED');
    expect(source.events.at(-1)?.sequence).toBe(watching.events.at(-1)?.sequence);
    expect(job.body).toEqual({
      video_id: sourceIds[44],
      prompt: text,
      speaker_id: 3,
      replyUrl: expect.stringContaining(`${url}/callbacks/`),
      replyRef: job.replyRef,
    });
    resultId = job.id;
  });

  test('lip-syncs an uploaded video in the account of that upload', async () => {
    // The first bytes of an MP4 are enough to detect its type.
    const film = Buffer.concat([
      Buffer.from([0, 0, 0, 24]),
      Buffer.from('ftypisom\0\0\x02\0isommp41'),
      Buffer.from([0, 0, 0, 8]),
      Buffer.from('mdat'),
    ]);
    const uploadId = await uploadFile(withHeaders(client, headers), 'VIDEO', film);
    const { id, status } = await createLipsync(withHeaders(client, headers), {
      video: { uploadId },
      text,
      offPeak: true,
    });
    expect(status).toBe('SUBMITTED');
    const job = await upstream.nextJob();
    expect(job.body).toEqual({
      video_path: expect.stringMatching(/^lip\/32\/\d+\.bin$/),
      email: expect.stringContaining('@studio-'),
      prompt: text,
      off_peak_mode: true,
      replyUrl: expect.stringContaining(`${url}/callbacks/`),
      replyRef: job.replyRef,
    });
    expect(job.id).toContain(`-pixverse:${String(job.body.email)}-video:`);
    const watching = follow(client.watchWs(watchDocument, { id }, { headers }));
    await job.become(1);
    expect((await watching.ended).at(-1)?.status).toBe('COMPLETED');
  });

  test('deletes a result with its own id, unencoded', async () => {
    const list = await client.ask<{
      lipsyncs: { nodes: { status: string; result: { id: string; url: string } | null }[] };
    }>('{ lipsyncs { nodes { status result { id url } } } }', {}, headers);
    expect(list.data?.lipsyncs.nodes.map(({ status }) => status)).toEqual([
      'COMPLETED',
      'COMPLETED',
      'COMPLETED',
    ]);
    const result = list.data?.lipsyncs.nodes[1]?.result;
    const before = upstream.requests.length;
    const deleted = await client.ask(
      'mutation ($input: DeleteVideoInput!) { deleteVideo(input: $input) { ... on DeleteVideoSuccess { deletedVideoId } ... on LipsyncError { code message } } }',
      { input: { id: result?.id } },
      headers,
    );
    expect(deleted.data).toEqual({ deleteVideo: { deletedVideoId: result?.id } });
    const calls = upstream.requests.slice(before).filter(({ method }) => method === 'DELETE');
    expect(calls.map((call) => call.url)).toEqual([`/v2/pixverse/videos/${resultId}`]);
    expect(resultId).toContain(`:${plusMail}-video:`);
  });

  test('fails with the typed failure of the job', async () => {
    const ends = [];
    for (const [code, status] of [
      [7, 'MODERATED'],
      [8, 'FAILED'],
    ] as const) {
      const signedIn = withHeaders(client, headers);
      const { id } = await createLipsync(signedIn, { video: { videoId: sourceId } });
      const job = await upstream.nextJob();
      const watching = follow(client.watchWs(watchDocument, { id }, { headers }));
      await job.become(code);
      const events = await watching.ended;
      expect(events.at(-1)?.status).toBe(status);
      ends.push((await readLipsync(signedIn, id))?.failure?.code);
    }
    expect(ends).toEqual(['CONTENT_MODERATED', 'GENERATION_FAILED']);
  });

  test('calls only documented endpoints of the upstream, with the token and with unencoded ids', () => {
    for (const seen of upstream.requests) {
      const what = `${seen.method} ${seen.url}`;
      expect(routeOf(seen), what).toBeDefined();
      expect(seen.headers.authorization, what).toBe(`Bearer ${fakeToken}`);
      expect(seen.url.split('?')[0], what).not.toContain('%');
    }
  });

  test('sends the encoded e-mail of the account whenever there are several accounts', () => {
    const emails = upstream.accounts.map(({ email }) => email);
    const perAccount = ['GET /videos', 'GET /videos/voices', 'POST /files', 'GET /features'];
    for (const seen of upstream.requests) {
      const what = `${seen.method} ${seen.url}`;
      const pairs = (seen.url.split('?')[1] ?? '').split('&').filter((pair) => pair !== '');
      const query = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
      expect(['email', 'limit', 'offset'], what).toEqual(expect.arrayContaining([...query.keys()]));
      const email = query.get('email');
      if (email !== undefined) expect(emails.map(encodeURIComponent), what).toContain(email);
      const mustName = emails.length > 1 && perAccount.includes(routeOf(seen)?.route ?? '');
      expect(mustName && email === undefined, what).toBe(false);
    }
  });

  test('sends one POST for each lip-sync, and unchanged bytes for each file', () => {
    const posts = upstream.requests.filter(
      (seen) => routeOf(seen)?.route === 'POST /videos/lipsync',
    );
    const refs = posts.map(
      ({ body }) => (JSON.parse(body.toString()) as { replyRef: string }).replyRef,
    );
    expect(refs.length).toBe(5);
    expect(new Set(refs).size).toBe(5);
    const files = upstream.requests.filter((seen) => routeOf(seen)?.route === 'POST /files');
    expect(files.map((file) => file.headers['content-type'])).toEqual(['audio/wav', 'video/mp4']);
    expect(files[0]?.body.equals(audio)).toBe(true);
    expect(audioPath).toContain(String(audio.length));
  });

  test('writes neither the token nor an e-mail to its log', () => {
    expect(program.output).toContain('"msg":"request"');
    expect(program.output).not.toContain(fakeToken);
    expect(program.output).not.toContain(apiKey);
    for (const mail of [plusMail, otherMail]) {
      expect(program.output).not.toContain(mail);
      expect(program.output).not.toContain(encodeURIComponent(mail));
    }
  });
});
