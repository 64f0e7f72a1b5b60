import {
  type CreateLipsyncInput,
  createLipsync,
  createLipsyncs,
  deleteLipsync,
  estimateLipsync,
  getLipsync,
  importUpload,
  LipsyncNotMadeError,
  LipsyncServerError,
  listLipsyncs,
  makeLipsyncOrThrow,
  type RetryInfo,
  serverSentEvents,
  viewer,
  waitForLipsync,
  watchLipsync,
  watchLipsyncs,
  webSocket,
} from 'lipsync-graphql-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { type LipsyncApp, startLipsyncApp } from '../support/lipsync-app.ts';
import { event, failureOf, type Step, startScriptedServer } from './scripted-server.ts';
import { fastBackOff } from './transports.ts';

let app: LipsyncApp;
let videoId = '';
beforeAll(async () => {
  app = await startLipsyncApp({
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 4 }] },
  });
  [videoId = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());

const server = () => ({
  url: `${app.url}/graphql`,
  transport: serverSentEvents(),
  backOff: fastBackOff,
});
const inputWith = (text: string): CreateLipsyncInput => ({
  video: { videoId },
  speech: { script: { text } },
});

async function create(text: string): Promise<string> {
  const answer = await createLipsync(server(), { ...inputWith(text), reference: text });
  if (answer.__typename !== 'CreateLipsyncSuccess') throw new Error(answer.__typename);
  return answer.lipsync.id;
}

describe('works', () => {
  test('getLipsync reads one, and deleteLipsync erases it when it has ended', async () => {
    const id = await create('Read me');
    expect(await getLipsync(server(), id)).toMatchObject({ __typename: 'Lipsync', id });
    await waitForLipsync(server(), id);
    expect(await getLipsync(server(), id)).toMatchObject({ status: 'COMPLETED', isFinal: true });
    expect(await deleteLipsync(server(), id)).toEqual({
      __typename: 'DeleteLipsyncSuccess',
      deletedLipsyncId: id,
    });
    const gone = { __typename: 'NotFoundError', code: 'NOT_FOUND', retryable: false };
    expect(await getLipsync(server(), id)).toMatchObject(gone);
    expect(await deleteLipsync(server(), id)).toMatchObject(gone);
  });

  test('listLipsyncs reads page after page, each lip-sync once', async () => {
    const ids = [];
    for (const _ of [1, 2, 3]) ids.push(await create('Listed'));
    const pages = [];
    const options = { filter: { reference: 'Listed' }, pageSize: 2 };
    for await (const page of listLipsyncs(server(), options)) {
      if (page.__typename !== 'LipsyncConnection') throw new Error(page.__typename);
      pages.push(page.nodes.map(({ id }) => id));
    }
    expect(pages).toEqual([[ids[2], ids[1]], [ids[0]]]);
  });

  test.each([
    ['server-sent events', serverSentEvents],
    ['WebSocket', webSocket],
  ])(
    'createLipsyncs and watchLipsyncs make many and follow them in one stream, by %s',
    async (_, transport) => {
      const answer = await createLipsyncs(server(), [
        inputWith('First'),
        inputWith('[[moderated]] Second'),
        inputWith('Third'),
        inputWith(''),
      ]);
      if (answer.__typename !== 'CreateLipsyncsSuccess') throw new Error(answer.__typename);
      const ids = answer.results.flatMap((each) =>
        each.__typename === 'CreateLipsyncSuccess' ? [each.lipsync.id] : [],
      );
      expect(answer.results.map(({ __typename }) => __typename)).toEqual([
        ...Array(3).fill('CreateLipsyncSuccess'),
        'InvalidInputError',
      ]);
      const endOf = new Map<string, string>();
      for await (const update of watchLipsyncs({ ...server(), transport: transport() }, ids)) {
        if (update.__typename !== 'LipsyncProgress') throw new Error(update.__typename);
        endOf.set(update.lipsync.id, update.status);
      }
      expect(ids.map((id) => endOf.get(id))).toEqual(['COMPLETED', 'MODERATED', 'COMPLETED']);
    },
  );

  test('watchLipsyncs resumes after the last event and finds a gap in one of its logs', async () => {
    const of = (id: string, sequence: number, status: 'GENERATING' | 'COMPLETED') => {
      const made = event(sequence, status);
      return { ...made, cursor: `${id}${sequence}`, lipsync: { ...made.lipsync, id } };
    };
    await using scripted = await startScriptedServer(
      (stream) => {
        stream.next(of('a', 1, 'GENERATING'));
        stream.next(of('b', 7, 'COMPLETED'));
        // Event 2 of `a` is missing.
        stream.next(of('a', 3, 'COMPLETED'));
      },
      (stream) => {
        stream.next(of('a', 2, 'GENERATING'));
        stream.next(of('a', 3, 'COMPLETED'));
        stream.complete();
      },
    );
    const target = { url: scripted.url, transport: serverSentEvents(), backOff: fastBackOff };
    const seen: unknown[] = [];
    for await (const update of watchLipsyncs(target, ['a', 'b', 'a'])) {
      if (update.__typename === 'LipsyncProgress') seen.push(update.cursor);
    }
    expect(seen).toEqual(['a1', 'b7', 'a2', 'a3']);
    expect(scripted.requests.map(({ variables }) => variables)).toEqual([
      { ids: ['a', 'b'], after: null },
      { ids: ['a', 'b'], after: 'b7' },
    ]);
  });

  test('estimateLipsync answers what a lip-sync would cost', async () => {
    const quote = await estimateLipsync(server(), {
      speech: { script: { text: 'How much is this?' } },
    });
    expect(quote).toMatchObject({ __typename: 'LipsyncQuote', seconds: expect.any(Number) });
  });

  test('importUpload answers with an upload that can be used at once', async () => {
    const upload = { id: 'an upload', status: 'RECEIVING' };
    await using scripted = await startScriptedServer((stream) =>
      stream.next({ __typename: 'ImportUploadSuccess', upload }),
    );
    const input = { kind: 'AUDIO', url: 'https://media.example/a.mp3' } as const;
    const answer = await importUpload({ url: scripted.url }, input);
    expect(answer).toEqual({ __typename: 'ImportUploadSuccess', upload });
    expect(scripted.requests[0]?.variables).toEqual({ input });
  });

  test('viewer answers the name of the caller and what is left of its limits', async () => {
    expect(await viewer(server())).toMatchObject({
      __typename: 'Viewer',
      authenticated: false,
      scopes: expect.arrayContaining(['LIPSYNC_WRITE']),
      lipsyncsPerDay: null,
    });
  });

  test('makeLipsyncOrThrow returns the video', async () => {
    const { video, lipsync } = await makeLipsyncOrThrow(server(), inputWith('Short'));
    expect(video.url).toMatch(/\.mp4$/);
    expect(lipsync.status).toBe('COMPLETED');
  });

  test('hooks see each request, response and retry, and add headers', async () => {
    const failed: Step = ({ response }) => response?.writeHead(502).end('<html>');
    const done: Step = ({ response }) =>
      response
        ?.writeHead(200, { 'content-type': 'application/json', 'x-request-id': 'id-1' })
        .end(JSON.stringify({ data: { answer: { __typename: 'Viewer' } } }));
    await using scripted = await startScriptedServer(failed, done);
    const seen: unknown[] = [];
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await viewer({
      url: scripted.url,
      backOff: fastBackOff,
      hooks: {
        onRequest: (request) => {
          seen.push(request);
          return { traceparent };
        },
        onResponse: (response) => seen.push(response),
        onRetry: ({ operationName, failures }) => seen.push({ operationName, failures }),
      },
    });
    const operationName = 'Viewer';
    expect(seen).toEqual([
      { operationName },
      { operationName, status: 502, requestId: null },
      { operationName, failures: 1 },
      { operationName },
      { operationName, status: 200, requestId: 'id-1' },
    ]);
    expect(scripted.requests.map(({ headers }) => headers.traceparent)).toEqual([
      traceparent,
      traceparent,
    ]);
  });
});

describe('refuses', () => {
  test('importUpload returns the issues of an address that the server does not fetch', async () => {
    const answer = await importUpload(server(), {
      kind: 'AUDIO',
      url: 'ftp://media.example/a.mp3',
    });
    expect(answer).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['input', 'url'] }] });
  });

  test('fields without a union return the failure of a caller without a token or scope', async () => {
    await using closed = await startTestApp({
      env: {
        ALLOW_ANONYMOUS: 'false',
        AUTH_JWT_SECRET: 'a secret of more than 32 bytes for tests',
      },
    });
    const target = { url: `${closed.url}/graphql` };
    const failure = { __typename: 'NotAuthenticatedError', code: 'NOT_AUTHENTICATED' };
    expect(await getLipsync(target, 'none')).toMatchObject(failure);
    const pages = [];
    for await (const page of listLipsyncs(target)) pages.push(page);
    expect(pages).toEqual([expect.objectContaining(failure)]);
    expect(await viewer(target)).toMatchObject({ authenticated: false, scopes: [] });
  });

  test('createLipsyncs returns an unknown failure of an item as FutureError', async () => {
    const results = [{ __typename: 'NewServerError', ...failureOf('NEW_SERVER', 3) }];
    await using scripted = await startScriptedServer((stream) =>
      stream.next({ __typename: 'CreateLipsyncsSuccess', results }),
    );
    expect(await createLipsyncs({ url: scripted.url }, [inputWith('?')])).toEqual({
      __typename: 'CreateLipsyncsSuccess',
      results: [{ __typename: 'FutureError', ...failureOf('NEW_SERVER', 3) }],
    });
  });

  test('makeLipsyncOrThrow throws every other end', async () => {
    const refused = makeLipsyncOrThrow(server(), inputWith(''));
    await expect(refused).rejects.toThrow(LipsyncNotMadeError);
    await expect(refused).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      retryable: false,
      end: { outcome: 'REFUSED' },
    });
    await expect(makeLipsyncOrThrow(server(), inputWith('[[moderated]]'))).rejects.toMatchObject({
      code: 'CONTENT_MODERATED',
      end: { outcome: 'MODERATED' },
    });
  });

  const masked = {
    message: 'Something went wrong.',
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'request-17' },
  };
  const fault = { code: 'INTERNAL_SERVER_ERROR', requestId: 'request-17' };

  test('throws LipsyncServerError with the request id and the key after repeated faults', async () => {
    const inBody: Step = (stream) => stream.next(null, [masked]);
    const byStatus: Step = ({ response }) =>
      response
        ?.writeHead(500, { 'content-type': 'application/json' })
        .end(JSON.stringify({ errors: [masked] }));
    await using scripted = await startScriptedServer(inBody, inBody, byStatus);
    const retries: RetryInfo[] = [];
    const creating = createLipsync(
      {
        url: scripted.url,
        backOff: { ...fastBackOff, attempts: 3 },
        hooks: { onRetry: (retry) => retries.push(retry) },
      },
      { ...inputWith('?'), idempotencyKey: 'order-17' },
    );
    await expect(creating).rejects.toThrow(LipsyncServerError);
    await expect(creating).rejects.toMatchObject({ ...fault, idempotencyKey: 'order-17' });
    expect(retries.map(({ error }) => error)).toEqual(
      Array(2).fill(expect.objectContaining(fault)),
    );
  });

  test.each([
    ['server-sent events', serverSentEvents],
    ['WebSocket', webSocket],
  ])(
    'a stream by %s throws LipsyncServerError with the cursor after five faults',
    async (_, transport) => {
      const failing: Step = (stream) => stream.next(null, [masked]);
      const first: Step = (stream) => {
        stream.next(event(4, 'GENERATING'));
        stream.disconnect();
      };
      await using scripted = await startScriptedServer(first, ...Array<Step>(20).fill(failing));
      const target = { url: scripted.url, transport: transport(), backOff: fastBackOff };
      const cursors: string[] = [];
      const watching = async () => {
        for await (const update of watchLipsync(target, 'a')) {
          if (update.__typename === 'LipsyncProgress') cursors.push(update.cursor);
        }
      };
      await expect(watching()).rejects.toMatchObject({
        name: 'LipsyncServerError',
        ...fault,
        cursor: event(4, 'GENERATING').cursor,
      });
      expect(cursors.length).toBe(1);
    },
  );
});
