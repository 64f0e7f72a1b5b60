import {
  type CreateLipsyncInput,
  cancelLipsync,
  createLipsync,
  LipsyncConnectionError,
  type LipsyncEnd,
  LipsyncRequestError,
  makeLipsync,
  type RetryInfo,
  serverSentEvents,
} from 'lipsync-graphql-client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { type LipsyncApp, startLipsyncApp } from '../support/lipsync-app.ts';
import { event, failureOf, type Step, startScriptedServer } from './scripted-server.ts';
import { fastBackOff } from './transports.ts';

let app: LipsyncApp;
let video: { videoId: string };
beforeAll(async () => {
  app = await startLipsyncApp({
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 2 }] },
  });
  const [id = ''] = await app.listVideoIds();
  video = { videoId: id };
});
afterAll(() => app.stop());

const inputWithText = (text: string): CreateLipsyncInput => ({
  video,
  speech: { script: { text } },
});

const server = () => ({
  url: `${app.url}/graphql`,
  transport: serverSentEvents(),
  backOff: fastBackOff,
});

const input: CreateLipsyncInput = {
  video: { videoId: 'a video' },
  speech: { uploadId: 'a sound' },
};

const made: Step = (stream) =>
  stream.next({
    __typename: 'CreateLipsyncSuccess',
    replayed: false,
    lipsync: event(1, 'SUBMITTED').lipsync,
  });

const answer =
  (status: number, body = '<html>', headers: Record<string, string> = {}): Step =>
  ({ response }) =>
    response?.writeHead(status, { 'content-type': 'text/html', ...headers }).end(body);

/** What the server itself answers if a request does not arrive in time. */
const timedOut = answer(
  408,
  '{"errors":[{"message":"The request did not arrive in time.","extensions":{"code":"REQUEST_TIMEOUT"}}]}',
);

const keysOf = (requests: { variables: Record<string, unknown> }[]) =>
  requests.map(({ variables }) => (variables.input as CreateLipsyncInput).idempotencyKey);

/** An exhaustive switch, as a caller writes it: TypeScript reports a missing outcome. */
function describeEnd(end: LipsyncEnd<{ message: string }>): string {
  switch (end.outcome) {
    case 'COMPLETED':
      return `ready: ${end.video.url}`;
    case 'FAILED':
    case 'MODERATED':
      return `${end.outcome}: ${end.failure.code}`;
    case 'CANCELLED':
    case 'EXPIRED':
      return `${end.outcome}: ${end.lipsync.id}`;
    case 'REFUSED':
      return `refused: ${end.failure.message}`;
    case 'STILL_RUNNING':
      return `later: ${end.cursor}`;
    case 'FUTURE':
      return end.status;
  }
}

describe('works', () => {
  test('makeLipsync resolves with the finished video', async () => {
    const statuses: string[] = [];
    const onCreated = vi.fn();
    const end = await makeLipsync(server(), inputWithText('Hello'), {
      onCreated,
      onProgress: ({ status }) => statuses.push(status),
    });
    expect(describeEnd(end)).toMatch(/^ready: http:.*\.mp4$/);
    expect(onCreated).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ text: 'Hello' }));
    expect(statuses.at(-1)).toBe('COMPLETED');
  });

  test('retries after a lost answer, and one lip-sync is made', async () => {
    const posts = (await app.posts()).length;
    let attempts = 0;
    const lossy = async (...given: Parameters<typeof fetch>) => {
      attempts += 1;
      const response = await fetch(...given);
      if (attempts > 2) return response;
      await response.text();
      throw new TypeError('The answer was lost.');
    };
    const created = await createLipsync({ ...server(), fetch: lossy }, inputWithText('Lost'));
    expect(created).toMatchObject({ __typename: 'CreateLipsyncSuccess', replayed: true });
    expect((await app.posts()).length).toBe(posts + 1);
  });

  test('retries broken connections and server errors with the same key', async () => {
    const dropConnection: Step = ({ response }) => response?.destroy();
    const failed: Step = (stream) =>
      stream.next(null, [
        { message: 'Something went wrong.', extensions: { code: 'INTERNAL_SERVER_ERROR' } },
      ]);
    const steps = [
      dropConnection,
      answer(503),
      failed,
      answer(200),
      answer(429),
      answer(408),
      timedOut,
      made,
    ];
    await using scripted = await startScriptedServer(...steps);
    const backOff = { ...fastBackOff, attempts: steps.length };
    const created = await createLipsync({ url: scripted.url, backOff }, input);
    expect(created.__typename).toBe('CreateLipsyncSuccess');
    const keys = keysOf(scripted.requests);
    expect(keys.length).toBe(steps.length);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test.each([
    ['HTML with status 429', 429, '<html>'],
    ['JSON with status 429', 429, '{"message":"Too many requests."}'],
    ['HTML with status 408', 408, '<html>'],
  ])('waits as long as Retry-After says after %s of a proxy', async (_, status, body) => {
    await using scripted = await startScriptedServer(answer(status, body, { 'retry-after': '7' }));
    const aborting = new AbortController();
    const hooks = { onRetry: ({ delayMs }: RetryInfo) => aborting.abort(delayMs) };
    const target = { url: scripted.url, backOff: fastBackOff, hooks };
    const { signal } = aborting;
    await expect(createLipsync(target, input, { signal })).rejects.toBe(7_000);
  });

  test('waits for the answer with an infinite timeoutMs too', async () => {
    await using scripted = await startScriptedServer(made);
    const created = await createLipsync({ url: scripted.url, timeoutMs: Infinity }, input);
    expect(created.__typename).toBe('CreateLipsyncSuccess');
  });

  test('retries when no answer arrives within timeoutMs', async () => {
    await using scripted = await startScriptedServer(() => undefined, made);
    const target = { url: scripted.url, backOff: fastBackOff, timeoutMs: 1_500 };
    const created = await createLipsync(target, input);
    expect(created.__typename).toBe('CreateLipsyncSuccess');
    const [first, second] = keysOf(scripted.requests);
    expect(second).toBe(first);
  });

  test('uses a new random key for each call, unless the caller passes one', async () => {
    await using scripted = await startScriptedServer(made, made, made, made);
    const target = { url: scripted.url };
    await createLipsync(target, input);
    await createLipsync(target, input);
    await createLipsync(target, { ...input, idempotencyKey: 'order-17' });
    await createLipsync(target, { ...input, idempotencyKey: 'order-17' });
    const [first, second, ...given] = keysOf(scripted.requests);
    expect(first).not.toBe(second);
    expect(given).toEqual(['order-17', 'order-17']);
  });

  test('makes random keys without crypto.randomUUID, which pages without https lack', async () => {
    const { getRandomValues } = crypto;
    vi.stubGlobal('crypto', { getRandomValues: getRandomValues.bind(crypto) });
    try {
      await using scripted = await startScriptedServer(made, made);
      for (const _ of [1, 2]) await createLipsync({ url: scripted.url }, input);
      const [first = '', second = ''] = keysOf(scripted.requests);
      expect(first?.length).toBeGreaterThan(20);
      expect(first).not.toBe(second);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test('reads token and headers again for each attempt', async () => {
    await using scripted = await startScriptedServer(answer(500), made);
    let count = 0;
    const token = () => `token ${++count}`;
    await createLipsync(
      { url: scripted.url, backOff: fastBackOff, token, headers: { 'x-a': 'b' } },
      input,
    );
    const sent = scripted.requests.map(({ headers }) => [headers.authorization, headers['x-a']]);
    expect(sent).toEqual([
      ['Bearer token 1', 'b'],
      ['Bearer token 2', 'b'],
    ]);
  });

  test('cancelLipsync answers LipsyncTrackingStopped for a running job', async () => {
    const created = await createLipsync(server(), inputWithText('[[never]] Cancel me'));
    if (created.__typename !== 'CreateLipsyncSuccess') throw new Error(created.__typename);
    const { id } = created.lipsync;
    expect(await cancelLipsync(server(), id)).toMatchObject({
      __typename: 'LipsyncTrackingStopped',
      lipsync: { id, status: 'CANCELLED' },
    });
  });

  test('returns the answer when a nullable field inside it failed', async () => {
    await using scripted = await startScriptedServer(({ response }) => {
      const { lipsync } = event(1, 'SUBMITTED');
      const success = { __typename: 'CreateLipsyncSuccess', replayed: false, lipsync };
      const errors = [{ message: 'Later.', extensions: { code: 'UPSTREAM_UNAVAILABLE' } }];
      response?.writeHead(200, { 'content-type': 'application/json' });
      response?.end(JSON.stringify({ data: { answer: success }, errors }));
    });
    const created = await createLipsync({ url: scripted.url }, input);
    expect(created.__typename).toBe('CreateLipsyncSuccess');
  });

  test('makeLipsync waits after OutcomeUnknownError, because the job may be found', async () => {
    const unknown: Step = (stream) =>
      stream.next({
        __typename: 'OutcomeUnknownError',
        ...failureOf('OUTCOME_UNKNOWN'),
        lipsync: event(2, 'SUBMITTING').lipsync,
      });
    await using scripted = await startScriptedServer(unknown, (stream) =>
      stream.next(event(3, 'COMPLETED')),
    );
    const target = { url: scripted.url, transport: serverSentEvents() };
    expect(describeEnd(await makeLipsync(target, input))).toBe(
      'ready: https://videos.example/1.mp4',
    );
  });
});

describe('refuses', () => {
  test('returns a retryable failure without a retry', async () => {
    const limited = { __typename: 'RateLimitedError', ...failureOf('RATE_LIMITED', 12) };
    const limit = 'ACCOUNT_BUSY';
    await using scripted = await startScriptedServer((stream) =>
      stream.next({ ...limited, limit }),
    );
    expect(await createLipsync({ url: scripted.url }, input)).toEqual({ ...limited, limit });
    expect(scripted.requests.length).toBe(1);
  });

  test('returns a spent cost limit, which is a request error, as QuotaExceededError', async () => {
    await using app = await startTestApp({ env: { COST_PER_MINUTE: '25' } });
    const target = { url: `${app.url}/graphql` };
    const answers = [];
    do answers.push(await cancelLipsync(target, 'none'));
    while (answers.at(-1)?.__typename === 'NotFoundError');
    expect(answers.length).toBeGreaterThan(1);
    expect(answers.at(-1)).toEqual({
      __typename: 'QuotaExceededError',
      code: 'QUOTA_EXCEEDED',
      message: expect.any(String),
      retryable: true,
      retryAfterSeconds: expect.any(Number),
    });
  });

  test('returns the issues of invalid input', async () => {
    const answered = await createLipsync(server(), inputWithText(''));
    expect(answered).toMatchObject({
      __typename: 'InvalidInputError',
      retryable: false,
      issues: [{ path: ['input', 'speech', 'script', 'text'] }],
    });
    expect(describeEnd(await makeLipsync(server(), inputWithText('')))).toMatch(/^refused: /);
  });

  test('returns an unknown failure type as FutureError, and throws for an unknown success type', async () => {
    await using scripted = await startScriptedServer(
      (stream) => stream.next({ __typename: 'NewServerError', ...failureOf('NEW_SERVER', 3) }),
      (stream) => stream.next({ __typename: 'CreateLipsyncBatch' }),
    );
    const target = { url: scripted.url };
    expect(await createLipsync(target, input)).toEqual({
      __typename: 'FutureError',
      ...failureOf('NEW_SERVER', 3),
    });
    await expect(createLipsync(target, input)).rejects.toThrow(LipsyncRequestError);
  });

  test('throws a request error without a retry', async () => {
    const refused: Step = ({ response }) =>
      response
        ?.writeHead(400, { 'content-type': 'application/json' })
        .end(
          '{"errors":[{"message":"Invalid document.","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}',
        );
    await using scripted = await startScriptedServer(refused, answer(404), answer(413));
    const target = { url: scripted.url, backOff: fastBackOff };
    await expect(createLipsync(target, input)).rejects.toMatchObject({
      name: 'LipsyncRequestError',
      message: 'Invalid document.',
      code: 'GRAPHQL_VALIDATION_FAILED',
    });
    await expect(createLipsync(target, input)).rejects.toThrow(LipsyncRequestError);
    await expect(createLipsync(target, input)).rejects.toThrow(LipsyncRequestError);
    expect(scripted.requests.length).toBe(3);
  });

  test('throws LipsyncConnectionError with the key after the last attempt', async () => {
    await using scripted = await startScriptedServer();
    const target = { url: scripted.url, backOff: { ...fastBackOff, attempts: 3 } };
    const error: unknown = await createLipsync(target, input).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LipsyncConnectionError);
    expect((error as LipsyncConnectionError).idempotencyKey).toBe(keysOf(scripted.requests)[0]);
    expect(scripted.requests.length).toBe(3);
  });

  test('throws LipsyncConnectionError if no request arrived in time', async () => {
    await using scripted = await startScriptedServer(timedOut, timedOut);
    const target = { url: scripted.url, backOff: { ...fastBackOff, attempts: 2 } };
    await expect(createLipsync(target, input)).rejects.toThrow(LipsyncConnectionError);
    expect(scripted.requests.length).toBe(2);
  });

  test('throws the reason of an abort, during an attempt and between two', async () => {
    await using scripted = await startScriptedServer(() => undefined);
    const aborting = new AbortController();
    const creating = createLipsync({ url: scripted.url }, input, { signal: aborting.signal });
    await vi.waitFor(() => expect(scripted.requests.length).toBe(1), { timeout: 60_000 });
    aborting.abort(new Error('Aborted.'));
    await expect(creating).rejects.toThrow('Aborted.');

    const second = new AbortController();
    const slow = { url: scripted.url, backOff: { firstMs: 3_600_000, maxMs: 3_600_000 } };
    const waiting = createLipsync(slow, input, { signal: second.signal });
    await vi.waitFor(() => expect(scripted.requests.length).toBe(2), { timeout: 60_000 });
    second.abort(new Error('Aborted again.'));
    await expect(waiting).rejects.toThrow('Aborted again.');
  });

  test('throws TypeError for an invalid URL without a retry', async () => {
    await expect(createLipsync({ url: '/graphql' }, input)).rejects.toThrow(TypeError);
  });
});
