import {
  LipsyncConnectionError,
  LipsyncRequestError,
  type LipsyncUpdate,
  watchLipsync,
} from 'lipsync-graphql-client';
import { describe, expect, test } from 'vitest';
import { quick, transports } from './client-stage.ts';
import { event, failureOf, type Step, startScripted } from './scripted.ts';

const tell =
  (...events: ReturnType<typeof event>[]): Step =>
  (stream) => {
    for (const each of events) stream.next(each);
    stream.end();
  };

const sequences = (updates: LipsyncUpdate[]) =>
  updates.map((update) => ('sequence' in update ? update.sequence : update.__typename));

describe.each(transports)('over $name', ({ make }) => {
  async function play(steps: Step[], options: Parameters<typeof watchLipsync>[2] = {}) {
    await using server = await startScripted(...steps);
    const target = { url: server.url, transport: make(), backOff: { ...quick, attempts: 5 } };
    const seen: LipsyncUpdate[] = [];
    const ended = (async () => {
      for await (const update of watchLipsync(target, 'a lip-sync', options)) seen.push(update);
    })();
    const error: unknown = await ended.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    const after = server.asked.map(({ variables }) => variables.after);
    return { seen: sequences(seen), updates: seen, error, after };
  }

  describe('works', () => {
    test('a connection that breaks is made again, and asked for what follows the last event', async () => {
      const { seen, error, after } = await play([
        tell(event(3, 'QUEUED'), event(4, 'SUBMITTED')),
        tell(),
        tell(event(5, 'GENERATING')),
        tell(event(6, 'COMPLETED')),
      ]);
      expect(error).toBeNull();
      expect(seen).toEqual([3, 4, 5, 6]);
      expect(after).toEqual([null, 'cursor 4', 'cursor 4', 'cursor 5']);
    });

    test('it begins after the cursor that is given', async () => {
      const { seen, after } = await play([tell(event(8, 'COMPLETED'))], { after: 'cursor 7' });
      expect(seen).toEqual([8]);
      expect(after).toEqual(['cursor 7']);
    });

    test('after the cursor of the end it ends without an event', async () => {
      const { seen, error, after } = await play([(stream) => stream.complete()], { after: 'end' });
      expect({ seen, error, after }).toEqual({ seen: [], error: null, after: ['end'] });
    });

    test('a stream that is complete before the lip-sync ended is asked for again', async () => {
      const { seen, after } = await play([
        (stream) => {
          stream.next(event(2, 'GENERATING'));
          stream.complete();
        },
        tell(event(3, 'FAILED', 'GENERATION_FAILED')),
      ]);
      expect(seen).toEqual([2, 3]);
      expect(after).toEqual([null, 'cursor 2']);
    });

    test('the end whose outcome was unknown may be followed by the truth', async () => {
      const { seen } = await play([
        tell(event(4, 'FAILED', 'OUTCOME_UNKNOWN')),
        (stream) => {
          stream.next(event(5, 'COMPLETED'));
          stream.complete();
        },
      ]);
      expect(seen).toEqual([4, 5]);
    });

    test('and where nothing follows it, the stream ends with it', async () => {
      const { seen, error } = await play([
        tell(event(4, 'FAILED', 'OUTCOME_UNKNOWN')),
        (stream) => stream.complete(),
      ]);
      expect({ seen, error }).toEqual({ seen: [4], error: null });
    });

    test('a status that it does not know is told, and the server says when that is the end', async () => {
      const { seen, error } = await play([
        (stream) => {
          stream.next(event(1, 'DREAMING'));
          stream.next(event(2, 'AWAKE'));
          stream.complete();
        },
      ]);
      expect({ seen, error }).toEqual({ seen: [1, 2], error: null });
    });

    test('a refusal for a while, while coming back, is waited out', async () => {
      const { seen, error } = await play([
        tell(event(1, 'QUEUED')),
        (stream) => {
          stream.next({ __typename: 'QuotaExceededError', ...failureOf('QUOTA_EXCEEDED', 0) });
          stream.complete();
        },
        tell(event(2, 'CANCELLED')),
      ]);
      expect({ seen, error }).toEqual({ seen: [1, 2], error: null });
    });

    test('so is a minute that is spent, which refuses the request as a whole', async () => {
      const { seen, error } = await play([
        tell(event(1, 'QUEUED')),
        (stream) => {
          const extensions = { code: 'QUOTA_EXCEEDED', retryable: true, retryAfterSeconds: 0 };
          stream.next(null, [{ message: 'Later.', extensions }]);
          stream.complete();
        },
        tell(event(2, 'CANCELLED')),
      ]);
      expect({ seen, error }).toEqual({ seen: [1, 2], error: null });
    });

    test('a failure of the server is another try', async () => {
      const { seen, error } = await play([
        tell(event(1, 'QUEUED')),
        (stream) => {
          stream.next(null, [
            { message: 'Something went wrong.', extensions: { code: 'INTERNAL_SERVER_ERROR' } },
          ]);
          stream.complete();
        },
        tell(event(2, 'EXPIRED')),
      ]);
      expect({ seen, error }).toEqual({ seen: [1, 2], error: null });
    });
  });

  describe('refuses', () => {
    test('a failure at the beginning is told and is the end, also one that may be retried', async () => {
      const { updates, error } = await play([
        (stream) => {
          stream.next({ __typename: 'QuotaExceededError', ...failureOf('QUOTA_EXCEEDED', 30) });
          stream.complete();
        },
      ]);
      expect(error).toBeNull();
      expect(updates).toEqual([
        { __typename: 'QuotaExceededError', ...failureOf('QUOTA_EXCEEDED', 30) },
      ]);
    });

    test('a failure of a later version can be read as every other', async () => {
      const { updates } = await play([
        (stream) => {
          stream.next({ __typename: 'EclipseError', ...failureOf('ECLIPSE') });
          stream.complete();
        },
      ]);
      expect(updates).toEqual([{ __typename: 'FutureError', ...failureOf('ECLIPSE') }]);
    });

    test('a network that is gone for good is thrown, with the cursor to go on from', async () => {
      const { seen, error, after } = await play([tell(event(1, 'QUEUED'))]);
      expect(seen).toEqual([1]);
      expect(error).toBeInstanceOf(LipsyncConnectionError);
      expect((error as LipsyncConnectionError).cursor).toBe('cursor 1');
      expect(after).toEqual([null, ...Array(4).fill('cursor 1')]);
    });

    test('signs of life between the failures do not let it give up', async () => {
      const alive: Step = (stream) => {
        stream.live();
        stream.end();
      };
      const { seen, error } = await play([
        tell(event(1, 'QUEUED')),
        ...Array<Step>(9).fill(alive),
        tell(event(2, 'COMPLETED')),
      ]);
      expect({ seen, error }).toEqual({ seen: [1, 2], error: null });
    });

    test('a document that the server does not execute is thrown at once', async () => {
      const { error, after } = await play([
        (stream) => {
          stream.next(null, [
            { message: 'Not one of those.', extensions: { code: 'DOCUMENT_NOT_TRUSTED' } },
          ]);
          stream.complete();
        },
      ]);
      expect(error).toBeInstanceOf(LipsyncRequestError);
      expect(error).toMatchObject({ message: 'Not one of those.', code: 'DOCUMENT_NOT_TRUSTED' });
      expect(after.length).toBe(1);
    });
  });

  describe('keeps out', () => {
    test('an event that was told before', async () => {
      const { seen } = await play([
        tell(event(1, 'QUEUED'), event(2, 'SUBMITTED')),
        tell(event(1, 'QUEUED'), event(2, 'SUBMITTED'), event(3, 'COMPLETED')),
      ]);
      expect(seen).toEqual([1, 2, 3]);
    });

    test('a gap: the event behind it is told only after those within', async () => {
      const { seen, after } = await play([
        tell(event(1, 'QUEUED'), event(4, 'COMPLETED')),
        tell(event(2, 'SUBMITTED'), event(3, 'GENERATING'), event(4, 'COMPLETED')),
      ]);
      expect(seen).toEqual([1, 2, 3, 4]);
      expect(after).toEqual([null, 'cursor 1']);
    });

    test('a gap that stays: it gives up rather than go over it', async () => {
      const gap = tell(event(1, 'QUEUED'), event(3, 'COMPLETED'));
      const { seen, error } = await play(Array<Step>(9).fill(gap));
      expect(seen).toEqual([1]);
      expect(error).toBeInstanceOf(LipsyncConnectionError);
    });
  });
});
