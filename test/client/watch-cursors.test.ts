import {
  LipsyncConnectionError,
  LipsyncRequestError,
  type LipsyncUpdate,
  watchLipsync,
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
import { fastBackOff, transports } from './transports.ts';

const sequences = (updates: LipsyncUpdate[]) =>
  updates.map((update) => ('sequence' in update ? update.sequence : update.__typename));

describe.each(transports)('over $name', ({ make }) => {
  async function play(steps: Step[], options: Parameters<typeof watchLipsync>[2] = {}) {
    await using server = await startScriptedServer(...steps);
    const target = { url: server.url, transport: make(), backOff: { ...fastBackOff, attempts: 5 } };
    const seen: LipsyncUpdate[] = [];
    const ended = (async () => {
      for await (const update of watchLipsync(target, 'a lip-sync', options)) seen.push(update);
    })();
    const error: unknown = await ended.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    const after = server.requests.map(({ variables }) => variables.after);
    return { seen: sequences(seen), updates: seen, error, after };
  }

  describe('works', () => {
    test('reconnects after the last event when the connection breaks', async () => {
      const { seen, error, after } = await play([
        disconnectAfter(event(3, 'QUEUED'), event(4, 'SUBMITTED')),
        disconnectAfter(),
        disconnectAfter(event(5, 'GENERATING')),
        disconnectAfter(event(6, 'COMPLETED')),
      ]);
      expect(error).toBeNull();
      expect(seen).toEqual([3, 4, 5, 6]);
      expect(after).toEqual([null, 'cursor 4', 'cursor 4', 'cursor 5']);
    });

    test('starts after the given cursor', async () => {
      const { seen, after } = await play([disconnectAfter(event(8, 'COMPLETED'))], {
        after: 'cursor 7',
      });
      expect(seen).toEqual([8]);
      expect(after).toEqual(['cursor 7']);
    });

    test('ends without an event after the cursor of the last event', async () => {
      const { seen, error, after } = await play([(stream) => stream.complete()], { after: 'end' });
      expect({ seen, error, after }).toEqual({ seen: [], error: null, after: ['end'] });
    });

    test('reopens a stream that completes before the lip-sync has ended', async () => {
      const { seen, after } = await play([
        completeAfter(event(2, 'GENERATING')),
        disconnectAfter(event(3, 'FAILED', 'GENERATION_FAILED')),
      ]);
      expect(seen).toEqual([2, 3]);
      expect(after).toEqual([null, 'cursor 2']);
    });

    test('delivers the real outcome after OUTCOME_UNKNOWN', async () => {
      const { seen } = await play([
        disconnectAfter(event(4, 'FAILED', 'OUTCOME_UNKNOWN')),
        completeAfter(event(5, 'COMPLETED')),
      ]);
      expect(seen).toEqual([4, 5]);
    });

    test('ends with OUTCOME_UNKNOWN when the server completes the stream', async () => {
      const { seen, error } = await play([
        disconnectAfter(event(4, 'FAILED', 'OUTCOME_UNKNOWN')),
        (stream) => stream.complete(),
      ]);
      expect({ seen, error }).toEqual({ seen: [4], error: null });
    });

    test('delivers unknown statuses until one that the server calls final', async () => {
      const { seen, error } = await play([
        completeAfter(event(1, 'REVIEWING'), event(2, 'ARCHIVED')),
      ]);
      expect({ seen, error }).toEqual({ seen: [1, 2], error: null });
    });

    test('waits out a retryable refusal after a reconnect', async () => {
      const { seen, error } = await play([
        disconnectAfter(event(1, 'QUEUED')),
        completeAfter({ __typename: 'QuotaExceededError', ...failureOf('QUOTA_EXCEEDED', 0) }),
        disconnectAfter(event(2, 'CANCELLED')),
      ]);
      expect({ seen, error }).toEqual({ seen: [1, 2], error: null });
    });

    test('waits out a spent cost limit, which is a request error, after a reconnect', async () => {
      const { seen, error } = await play([
        disconnectAfter(event(1, 'QUEUED')),
        (stream) => {
          const extensions = { code: 'QUOTA_EXCEEDED', retryable: true, retryAfterSeconds: 0 };
          stream.next(null, [{ message: 'Later.', extensions }]);
          stream.complete();
        },
        disconnectAfter(event(2, 'CANCELLED')),
      ]);
      expect({ seen, error }).toEqual({ seen: [1, 2], error: null });
    });

    test('retries after INTERNAL_SERVER_ERROR', async () => {
      const { seen, error } = await play([
        disconnectAfter(event(1, 'QUEUED')),
        (stream) => {
          stream.next(null, [
            { message: 'Something went wrong.', extensions: { code: 'INTERNAL_SERVER_ERROR' } },
          ]);
          stream.complete();
        },
        disconnectAfter(event(2, 'EXPIRED')),
      ]);
      expect({ seen, error }).toEqual({ seen: [1, 2], error: null });
    });
  });

  /** The delay before the attempt after this answer, without waiting for it. */
  const delayAfterUnavailable = async (retryAfterSeconds: unknown): Promise<number> => {
    const extensions = { code: 'TEMPORARILY_UNAVAILABLE', retryable: true, retryAfterSeconds };
    await using server = await startScriptedServer((stream) => {
      stream.next(null, [{ message: 'No database.', extensions }]);
      stream.complete();
    });
    const closing = new AbortController();
    let waitMs = 0;
    const onRetry = ({ delayMs }: { delayMs: number }) => {
      waitMs = delayMs;
      closing.abort(new Error('Seen.'));
    };
    const target = { url: server.url, transport: make(), backOff: fastBackOff, hooks: { onRetry } };
    const updates = watchLipsync(target, 'a lip-sync', { signal: closing.signal });
    await expect(updates.next()).rejects.toThrow('Seen.');
    return waitMs;
  };

  describe('when the server has no database', () => {
    test('waits as long as the error asks for, and at most 30 seconds', async () => {
      expect(await delayAfterUnavailable(5)).toBe(5_000);
      expect(await delayAfterUnavailable(3_600)).toBe(30_000);
    });

    test('uses its own delay if the error asks for none', async () => {
      expect(await delayAfterUnavailable(null)).toBeLessThanOrEqual(20);
      expect(await delayAfterUnavailable('soon')).toBeLessThanOrEqual(20);
    });
  });

  describe('refuses', () => {
    test('delivers a failure of the first connection and ends, even if it is retryable', async () => {
      const { updates, error } = await play([
        completeAfter({ __typename: 'QuotaExceededError', ...failureOf('QUOTA_EXCEEDED', 30) }),
      ]);
      expect(error).toBeNull();
      expect(updates).toEqual([
        { __typename: 'QuotaExceededError', ...failureOf('QUOTA_EXCEEDED', 30) },
      ]);
    });

    test('delivers an unknown failure type as FutureError', async () => {
      const { updates } = await play([
        completeAfter({ __typename: 'NewServerError', ...failureOf('NEW_SERVER') }),
      ]);
      expect(updates).toEqual([{ __typename: 'FutureError', ...failureOf('NEW_SERVER') }]);
    });

    test('throws LipsyncConnectionError with the last cursor after the last attempt', async () => {
      const { seen, error, after } = await play([disconnectAfter(event(1, 'QUEUED'))]);
      expect(seen).toEqual([1]);
      expect(error).toBeInstanceOf(LipsyncConnectionError);
      expect((error as LipsyncConnectionError).cursor).toBe('cursor 1');
      expect(after).toEqual([null, ...Array(4).fill('cursor 1')]);
    });

    test('resets the count of failures on each heartbeat', async () => {
      const heartbeatThenDisconnect: Step = (stream) => {
        stream.heartbeat();
        stream.disconnect();
      };
      const { seen, error } = await play([
        disconnectAfter(event(1, 'QUEUED')),
        ...Array<Step>(9).fill(heartbeatThenDisconnect),
        disconnectAfter(event(2, 'COMPLETED')),
      ]);
      expect({ seen, error }).toEqual({ seen: [1, 2], error: null });
    });

    test('throws a request error without a retry', async () => {
      const { error, after } = await play([
        (stream) => {
          stream.next(null, [
            {
              message: 'The document is not trusted.',
              extensions: { code: 'DOCUMENT_NOT_TRUSTED' },
            },
          ]);
          stream.complete();
        },
      ]);
      expect(error).toBeInstanceOf(LipsyncRequestError);
      expect(error).toMatchObject({
        message: 'The document is not trusted.',
        code: 'DOCUMENT_NOT_TRUSTED',
      });
      expect(after.length).toBe(1);
    });
  });

  describe('keeps out', () => {
    test('events that were delivered before', async () => {
      const { seen } = await play([
        disconnectAfter(event(1, 'QUEUED'), event(2, 'SUBMITTED')),
        disconnectAfter(event(1, 'QUEUED'), event(2, 'SUBMITTED'), event(3, 'COMPLETED')),
      ]);
      expect(seen).toEqual([1, 2, 3]);
    });

    test('gaps: a skipped event is fetched before the next one is delivered', async () => {
      const { seen, after } = await play([
        disconnectAfter(event(1, 'QUEUED'), event(4, 'COMPLETED')),
        disconnectAfter(event(2, 'SUBMITTED'), event(3, 'GENERATING'), event(4, 'COMPLETED')),
      ]);
      expect(seen).toEqual([1, 2, 3, 4]);
      expect(after).toEqual([null, 'cursor 1']);
    });

    test('events after a permanent gap: it throws instead of skipping', async () => {
      const gap = disconnectAfter(event(1, 'QUEUED'), event(3, 'COMPLETED'));
      const { seen, error } = await play(Array<Step>(9).fill(gap));
      expect(seen).toEqual([1]);
      expect(error).toBeInstanceOf(LipsyncConnectionError);
    });
  });
});
