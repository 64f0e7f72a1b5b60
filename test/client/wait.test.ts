import {
  LipsyncRequestError,
  serverSentEvents,
  type WaitOptions,
  waitForLipsync,
} from 'lipsync-graphql-client';
import { describe, expect, test } from 'vitest';
import {
  completeAfter,
  disconnectAfter,
  event,
  failureOf,
  type Step,
  startScriptedServer,
} from './scripted-server.ts';
import { fastBackOff } from './transports.ts';

async function waitFor(steps: Step[], options: WaitOptions = {}) {
  await using server = await startScriptedServer(...steps);
  const target = { url: server.url, transport: serverSentEvents(), backOff: fastBackOff };
  const end = await waitForLipsync(target, 'a lip-sync', options);
  return { end, after: server.requests.map(({ variables }) => variables.after) };
}

describe('works', () => {
  test('resolves with the video, after every event was passed to onProgress', async () => {
    const seen: number[] = [];
    const { end } = await waitFor(
      [
        completeAfter(event(1, 'QUEUED'), event(2, 'GENERATING')),
        completeAfter(event(3, 'COMPLETED')),
      ],
      { onProgress: ({ sequence }) => seen.push(sequence) },
    );
    expect(end).toMatchObject({
      outcome: 'COMPLETED',
      video: { url: 'https://videos.example/1.mp4' },
      lipsync: { status: 'COMPLETED' },
    });
    expect(seen).toEqual([1, 2, 3]);
  });

  test.each([
    ['FAILED', 'GENERATION_FAILED'],
    ['MODERATED', 'CONTENT_MODERATED'],
  ])('resolves with the failure of a lip-sync that is %s', async (status, code) => {
    const { end } = await waitFor([completeAfter(event(1, status, code))]);
    expect(end).toMatchObject({ outcome: status, failure: failureOf(code) });
  });

  test.each(['CANCELLED', 'EXPIRED'])(
    'resolves without a failure for a lip-sync that is %s',
    async (status) => {
      const { end } = await waitFor([completeAfter(event(1, status))]);
      expect(end).toEqual({ outcome: status, lipsync: event(1, status).lipsync });
    },
  );

  test('resolves with FUTURE for an unknown terminal status', async () => {
    const { end } = await waitFor([completeAfter(event(1, 'ARCHIVED'))]);
    expect(end).toMatchObject({ outcome: 'FUTURE', status: 'ARCHIVED' });
  });

  test('resolves with the late outcome after OUTCOME_UNKNOWN', async () => {
    const { end } = await waitFor([
      completeAfter(event(4, 'FAILED', 'OUTCOME_UNKNOWN'), event(5, 'COMPLETED')),
    ]);
    expect(end.outcome).toBe('COMPLETED');
  });

  // The longest delay of a timer is 2 ** 31 - 1 ms.
  test.each([2 ** 31, Infinity])('waits with deadlineMs %d', async (deadlineMs) => {
    const steps = [disconnectAfter(event(1, 'GENERATING')), completeAfter(event(2, 'COMPLETED'))];
    const { end } = await waitFor(steps, { deadlineMs });
    expect(end.outcome).toBe('COMPLETED');
  });

  test('opens the stream again if the request for it did not arrive in time', async () => {
    const timedOut: Step = ({ response }) =>
      response
        ?.writeHead(408, { 'content-type': 'application/json' })
        .end('{"errors":[{"message":"Too late.","extensions":{"code":"REQUEST_TIMEOUT"}}]}');
    const { end } = await waitFor([timedOut, completeAfter(event(1, 'COMPLETED'))]);
    expect(end.outcome).toBe('COMPLETED');
  });

  test('resolves with the end even from the cursor of the last event', async () => {
    const { end, after } = await waitFor([completeAfter(), completeAfter(event(7, 'COMPLETED'))], {
      after: 'cursor 7',
    });
    expect(end.outcome).toBe('COMPLETED');
    expect(after).toEqual(['cursor 7', null]);
  });
});

describe('refuses', () => {
  test('resolves with REFUSED for a lip-sync that cannot be watched', async () => {
    const refusal = { __typename: 'NotFoundError', ...failureOf('NOT_FOUND') };
    const { end } = await waitFor([completeAfter(refusal)]);
    expect(end).toEqual({ outcome: 'REFUSED', failure: refusal });
  });

  test('resolves with STILL_RUNNING and the cursor after the deadline', async () => {
    const silent: Step = (stream) => stream.next(event(2, 'GENERATING'));
    const { end } = await waitFor([silent], { deadlineMs: 2_000 });
    expect(end).toEqual({
      outcome: 'STILL_RUNNING',
      lipsync: event(2, 'GENERATING').lipsync,
      cursor: 'cursor 2',
    });
  });

  test('returns the given cursor when the deadline passes before the first event', async () => {
    const { end } = await waitFor([() => undefined], { deadlineMs: 1, after: 'cursor 1' });
    expect(end).toEqual({ outcome: 'STILL_RUNNING', lipsync: null, cursor: 'cursor 1' });
  });

  test('applies one deadline to both streams when it starts from the last cursor', async () => {
    const { end, after } = await waitFor([completeAfter(), () => undefined], {
      deadlineMs: 2_000,
      after: 'cursor 7',
    });
    expect(after).toEqual(['cursor 7', null]);
    expect(end).toEqual({ outcome: 'STILL_RUNNING', lipsync: null, cursor: 'cursor 7' });
  });

  test('throws the reason of an abort, with a deadline too', async () => {
    const aborting = new AbortController();
    const waiting = waitFor([(stream) => stream.next(event(1, 'QUEUED'))], {
      deadlineMs: 3_600_000,
      signal: aborting.signal,
      onProgress: () => aborting.abort(new Error('Aborted.')),
    });
    await expect(waiting).rejects.toThrow('Aborted.');
  });

  test('throws what onProgress throws', async () => {
    const waiting = waitFor([completeAfter(event(1, 'QUEUED'), event(2, 'COMPLETED'))], {
      onProgress: () => {
        throw new Error('Thrown by onProgress.');
      },
    });
    await expect(waiting).rejects.toThrow('Thrown by onProgress.');
  });

  test('throws for a COMPLETED event without a video', async () => {
    const withoutResult = { ...event(1, 'COMPLETED'), lipsync: event(1, 'GENERATING').lipsync };
    await expect(waitFor([completeAfter(withoutResult)])).rejects.toThrow(LipsyncRequestError);
  });
});
