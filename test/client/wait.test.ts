import {
  type LipsyncEvent,
  LipsyncRequestError,
  serverSentEvents,
  type WaitOptions,
  waitForLipsync,
} from 'lipsync-graphql-client';
import { describe, expect, test } from 'vitest';
import { quick } from './client-stage.ts';
import { event, failureOf, type Step, startScripted } from './scripted.ts';

async function wait(steps: Step[], options: WaitOptions = {}) {
  await using server = await startScripted(...steps);
  const target = { url: server.url, transport: serverSentEvents(), backOff: quick };
  const end = await waitForLipsync(target, 'a lip-sync', options);
  return { end, after: server.asked.map(({ variables }) => variables.after) };
}

const tell =
  (...events: LipsyncEvent[]): Step =>
  (stream) => {
    for (const each of events) stream.next(each);
    stream.complete();
  };

const told = (sequence: number, status: string, code?: string) =>
  event(sequence, status, code) as LipsyncEvent;

describe('works', () => {
  test('a finished one has its video, and every event was told on the way', async () => {
    const seen: number[] = [];
    const { end } = await wait(
      [tell(told(1, 'QUEUED'), told(2, 'GENERATING')), tell(told(3, 'COMPLETED'))],
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
  ])('one that is %s says why', async (status, code) => {
    const { end } = await wait([tell(told(1, status, code))]);
    expect(end).toMatchObject({ outcome: status, failure: failureOf(code) });
  });

  test.each(['CANCELLED', 'EXPIRED'])('one that is %s has no failure', async (status) => {
    const { end } = await wait([tell(told(1, status))]);
    expect(end).toEqual({ outcome: status, lipsync: told(1, status).lipsync });
  });

  test('an end that it does not know is told as it is', async () => {
    const { end } = await wait([tell(told(1, 'ARCHIVED'))]);
    expect(end).toMatchObject({ outcome: 'FUTURE', status: 'ARCHIVED' });
  });

  test('a truth that comes late is the end', async () => {
    const { end } = await wait([tell(told(4, 'FAILED', 'OUTCOME_UNKNOWN'), told(5, 'COMPLETED'))]);
    expect(end.outcome).toBe('COMPLETED');
  });

  test('from the cursor of the end it still tells the end', async () => {
    const { end, after } = await wait([tell(), tell(told(7, 'COMPLETED'))], { after: 'cursor 7' });
    expect(end.outcome).toBe('COMPLETED');
    expect(after).toEqual(['cursor 7', null]);
  });
});

describe('refuses', () => {
  test('one that can not be watched says why, as data', async () => {
    const refusal = { __typename: 'NotFoundError', ...failureOf('NOT_FOUND') };
    const { end } = await wait([
      (stream) => {
        stream.next(refusal);
        stream.complete();
      },
    ]);
    expect(end).toEqual({ outcome: 'REFUSED', failure: refusal });
  });

  test('after the deadline it tells where to go on', async () => {
    const quiet: Step = (stream) => stream.next(told(2, 'GENERATING'));
    const { end } = await wait([quiet], { deadlineMs: 200 });
    expect(end).toEqual({
      outcome: 'STILL_RUNNING',
      lipsync: told(2, 'GENERATING').lipsync,
      cursor: 'cursor 2',
    });
  });

  test('a deadline that passes before anything came tells the cursor that was given', async () => {
    const { end } = await wait([() => undefined], { deadlineMs: 1, after: 'cursor 1' });
    expect(end).toEqual({ outcome: 'STILL_RUNNING', lipsync: null, cursor: 'cursor 1' });
  });

  test('the deadline is one for all of it, also where it begins behind the end', async () => {
    const { end, after } = await wait([tell(), () => undefined], {
      deadlineMs: 200,
      after: 'cursor 7',
    });
    expect(after).toEqual(['cursor 7', null]);
    expect(end).toEqual({ outcome: 'STILL_RUNNING', lipsync: null, cursor: 'cursor 7' });
  });

  test('an abort is thrown as its reason, whatever the deadline', async () => {
    const aborting = new AbortController();
    const waiting = wait([(stream) => stream.next(told(1, 'QUEUED'))], {
      deadlineMs: 3_600_000,
      signal: aborting.signal,
      onProgress: () => aborting.abort(new Error('Left.')),
    });
    await expect(waiting).rejects.toThrow('Left.');
  });

  test('what its caller throws on the way is thrown on', async () => {
    const waiting = wait([tell(told(1, 'QUEUED'), told(2, 'COMPLETED'))], {
      onProgress: () => {
        throw new Error('My own mistake.');
      },
    });
    await expect(waiting).rejects.toThrow('My own mistake.');
  });

  test('an end that lacks what it led to is no end', async () => {
    const bare = { ...told(1, 'COMPLETED'), lipsync: told(1, 'GENERATING').lipsync };
    await expect(wait([tell(bare)])).rejects.toThrow(LipsyncRequestError);
  });
});
