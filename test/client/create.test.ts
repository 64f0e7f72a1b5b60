import {
  type CreateLipsyncInput,
  cancelLipsync,
  createLipsync,
  LipsyncConnectionError,
  type LipsyncEnd,
  LipsyncRequestError,
  makeLipsync,
  serverSentEvents,
} from 'lipsync-graphql-client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openStage, type Stage } from '../domains/lipsyncs/stage.ts';
import { startTestApp } from '../support/app.ts';
import { quick } from './client-stage.ts';
import { event, failureOf, type Step, startScripted } from './scripted.ts';

let stage: Stage;
let video: { id: string };
beforeAll(async () => {
  stage = await openStage({
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 2 }] },
  });
  const [id = ''] = await stage.sources();
  video = { id };
});
afterAll(() => stage.stop());

const say = (text: string): CreateLipsyncInput => ({ video, speech: { text: { text } } });

const server = () => ({
  url: `${stage.test.url}/graphql`,
  transport: serverSentEvents(),
  backOff: quick,
});

const input: CreateLipsyncInput = {
  video: { id: 'a video' },
  speech: { audioUploadId: 'a sound' },
};

const made: Step = (stream) =>
  stream.next({
    __typename: 'CreateLipsyncSuccess',
    replayed: false,
    lipsync: event(1, 'SUBMITTED').lipsync,
  });

const answer =
  (status: number, body = '<html>'): Step =>
  ({ response }) =>
    response?.writeHead(status, { 'content-type': 'text/html' }).end(body);

const keysOf = (asked: { variables: Record<string, unknown> }[]) =>
  asked.map(({ variables }) => (variables.input as CreateLipsyncInput).idempotencyKey);

/** What a caller writes once: TypeScript refuses it as soon as an outcome has no words. */
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
  test('from the input to the finished video is one await', async () => {
    const statuses: string[] = [];
    const created = vi.fn();
    const end = await makeLipsync(server(), say('One await'), {
      onCreated: created,
      onProgress: ({ status }) => statuses.push(status),
    });
    expect(describeEnd(end)).toMatch(/^ready: http:.*\.mp4$/);
    expect(created).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ text: 'One await' }));
    expect(statuses.at(-1)).toBe('COMPLETED');
  });

  test('an answer that is lost on the way is asked for again, and one lip-sync is made', async () => {
    const posts = (await stage.posts()).length;
    let tries = 0;
    const lossy = async (...given: Parameters<typeof fetch>) => {
      tries += 1;
      const response = await fetch(...given);
      if (tries > 2) return response;
      await response.text();
      throw new TypeError('The answer was lost.');
    };
    const created = await createLipsync({ ...server(), fetch: lossy }, say('Lost'));
    expect(created).toMatchObject({ __typename: 'CreateLipsyncSuccess', replayed: true });
    expect((await stage.posts()).length).toBe(posts + 1);
  });

  test('a connection that is cut and a server that fails are tried again, with the same key', async () => {
    const cut: Step = ({ response }) => response?.destroy();
    const failed: Step = (stream) =>
      stream.next(null, [
        { message: 'Something went wrong.', extensions: { code: 'INTERNAL_SERVER_ERROR' } },
      ]);
    const steps = [cut, answer(503), failed, answer(200), answer(429), answer(408), made];
    await using scripted = await startScripted(...steps);
    const patient = { ...quick, attempts: steps.length };
    const created = await createLipsync({ url: scripted.url, backOff: patient }, input);
    expect(created.__typename).toBe('CreateLipsyncSuccess');
    const keys = keysOf(scripted.asked);
    expect(keys.length).toBe(steps.length);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('an answer that never comes is one that is lost', async () => {
    await using scripted = await startScripted(() => undefined, made);
    const target = { url: scripted.url, backOff: quick, timeoutMs: 1_500 };
    const created = await createLipsync(target, input);
    expect(created.__typename).toBe('CreateLipsyncSuccess');
    const [first, second] = keysOf(scripted.asked);
    expect(second).toBe(first);
  });

  test('two calls are two lip-syncs, unless they are given the same key', async () => {
    await using scripted = await startScripted(made, made, made, made);
    const target = { url: scripted.url };
    await createLipsync(target, input);
    await createLipsync(target, input);
    await createLipsync(target, { ...input, idempotencyKey: 'order-17' });
    await createLipsync(target, { ...input, idempotencyKey: 'order-17' });
    const [one, two, ...mine] = keysOf(scripted.asked);
    expect(one).not.toBe(two);
    expect(mine).toEqual(['order-17', 'order-17']);
  });

  test('a page without https has random keys too', async () => {
    const { getRandomValues } = crypto;
    vi.stubGlobal('crypto', { getRandomValues: getRandomValues.bind(crypto) });
    try {
      await using scripted = await startScripted(made, made);
      for (const _ of [1, 2]) await createLipsync({ url: scripted.url }, input);
      const [one = '', two = ''] = keysOf(scripted.asked);
      expect(one?.length).toBeGreaterThan(20);
      expect(one).not.toBe(two);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test('token and headers are asked for again with each try', async () => {
    await using scripted = await startScripted(answer(500), made);
    let count = 0;
    const token = () => `token ${++count}`;
    await createLipsync(
      { url: scripted.url, backOff: quick, token, headers: { 'x-a': 'b' } },
      input,
    );
    const sent = scripted.asked.map(({ headers }) => [headers.authorization, headers['x-a']]);
    expect(sent).toEqual([
      ['Bearer token 1', 'b'],
      ['Bearer token 2', 'b'],
    ]);
  });

  test('what runs already is given up, and the answer says that it goes on', async () => {
    const created = await createLipsync(server(), say('[[never]] Cancel me'));
    if (created.__typename !== 'CreateLipsyncSuccess') throw new Error(created.__typename);
    const { id } = created.lipsync;
    expect(await cancelLipsync(server(), id)).toMatchObject({
      __typename: 'LipsyncTrackingStopped',
      lipsync: { id, status: 'CANCELLED' },
    });
  });

  test('an answer of which some field could not be read is an answer', async () => {
    await using scripted = await startScripted(({ response }) => {
      const { lipsync } = event(1, 'SUBMITTED');
      const success = { __typename: 'CreateLipsyncSuccess', replayed: false, lipsync };
      const errors = [{ message: 'Later.', extensions: { code: 'UPSTREAM_UNAVAILABLE' } }];
      response?.writeHead(200, { 'content-type': 'application/json' });
      response?.end(JSON.stringify({ data: { answer: success }, errors }));
    });
    const created = await createLipsync({ url: scripted.url }, input);
    expect(created.__typename).toBe('CreateLipsyncSuccess');
  });

  test('an outcome that nobody knows is waited for, since it may be found', async () => {
    const unknown: Step = (stream) =>
      stream.next({
        __typename: 'OutcomeUnknownError',
        ...failureOf('OUTCOME_UNKNOWN'),
        lipsync: event(2, 'SUBMITTING').lipsync,
      });
    await using scripted = await startScripted(unknown, (stream) =>
      stream.next(event(3, 'COMPLETED')),
    );
    const target = { url: scripted.url, transport: serverSentEvents() };
    expect(describeEnd(await makeLipsync(target, input))).toBe(
      'ready: https://videos.example/1.mp4',
    );
  });
});

describe('refuses', () => {
  test('what may be tried again later is returned at once, and costs no further try', async () => {
    const limited = { __typename: 'RateLimitedError', ...failureOf('RATE_LIMITED', 12) };
    const reason = 'ACCOUNT_BUSY';
    await using scripted = await startScripted((stream) => stream.next({ ...limited, reason }));
    expect(await createLipsync({ url: scripted.url }, input)).toEqual({ ...limited, reason });
    expect(scripted.asked.length).toBe(1);
  });

  test('a minute that is spent is told like every other quota, although it refuses the request as a whole', async () => {
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

  test('input that breaks a rule says which, as data', async () => {
    const answered = await createLipsync(server(), say(''));
    expect(answered).toMatchObject({
      __typename: 'InvalidInputError',
      retryable: false,
      issues: [{ path: ['input', 'speech', 'text', 'text'] }],
    });
    expect(describeEnd(await makeLipsync(server(), say('')))).toMatch(/^refused: /);
  });

  test('a failure of a later version can be read, and a success that it does not know is thrown', async () => {
    await using scripted = await startScripted(
      (stream) => stream.next({ __typename: 'EclipseError', ...failureOf('ECLIPSE', 3) }),
      (stream) => stream.next({ __typename: 'CreateLipsyncBatch' }),
    );
    const target = { url: scripted.url };
    expect(await createLipsync(target, input)).toEqual({
      __typename: 'FutureError',
      ...failureOf('ECLIPSE', 3),
    });
    await expect(createLipsync(target, input)).rejects.toThrow(LipsyncRequestError);
  });

  test('a request that is refused as a whole is thrown at once', async () => {
    const refused: Step = ({ response }) =>
      response
        ?.writeHead(400, { 'content-type': 'application/json' })
        .end('{"errors":[{"message":"No.","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}');
    await using scripted = await startScripted(refused, answer(404), answer(413));
    const target = { url: scripted.url, backOff: quick };
    await expect(createLipsync(target, input)).rejects.toMatchObject({
      name: 'LipsyncRequestError',
      message: 'No.',
      code: 'GRAPHQL_VALIDATION_FAILED',
    });
    await expect(createLipsync(target, input)).rejects.toThrow(LipsyncRequestError);
    await expect(createLipsync(target, input)).rejects.toThrow(LipsyncRequestError);
    expect(scripted.asked.length).toBe(3);
  });

  test('a network that is gone for good is thrown, with the key for another try', async () => {
    await using scripted = await startScripted();
    const target = { url: scripted.url, backOff: { ...quick, attempts: 3 } };
    const error: unknown = await createLipsync(target, input).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LipsyncConnectionError);
    expect((error as LipsyncConnectionError).idempotencyKey).toBe(keysOf(scripted.asked)[0]);
    expect(scripted.asked.length).toBe(3);
  });

  test('an abort is thrown as its reason, during a try and between two', async () => {
    await using scripted = await startScripted(() => undefined);
    const aborting = new AbortController();
    const creating = createLipsync({ url: scripted.url }, input, { signal: aborting.signal });
    await vi.waitFor(() => expect(scripted.asked.length).toBe(1));
    aborting.abort(new Error('Changed my mind.'));
    await expect(creating).rejects.toThrow('Changed my mind.');

    const again = new AbortController();
    const slow = { url: scripted.url, backOff: { firstMs: 3_600_000, mostMs: 3_600_000 } };
    const waiting = createLipsync(slow, input, { signal: again.signal });
    await vi.waitFor(() => expect(scripted.asked.length).toBe(2));
    again.abort(new Error('Again.'));
    await expect(waiting).rejects.toThrow('Again.');
  });

  test('an address that is none is the caller’s mistake, and thrown at once', async () => {
    await expect(createLipsync({ url: '/graphql' }, input)).rejects.toThrow(TypeError);
  });
});
