import { createClient, type FormattedExecutionResult, type Sink } from 'graphql-ws/client';
import { resumable } from 'lipsync-graphql-client';
import { expect, test, vi } from 'vitest';
import { event, type Step, startScripted } from './scripted.ts';

const query = 'subscription ($id: ID!, $after: String) { told under any name }';

const cut =
  (...sequences: number[]): Step =>
  (stream) => {
    for (const sequence of sequences) stream.next(event(sequence, 'GENERATING'));
    stream.end(1012);
  };

const end: Step = (stream) => {
  stream.next(event(9, 'COMPLETED'));
  stream.complete();
};

const connect = (url: string) =>
  resumable(
    createClient({
      url: url.replace('http', 'ws'),
      retryAttempts: 5,
      retryWait: async () => undefined,
      shouldRetry: () => true,
    }),
  );

test('a client of graphql-ws goes on after the last event that it told', async () => {
  await using server = await startScripted(cut(1, 2), cut(), cut(3), end);
  const seen: unknown[] = [];
  await new Promise<void>((complete, error) => {
    const sink: Sink<FormattedExecutionResult> = {
      next: ({ data }) => seen.push((data as { answer: { sequence: number } }).answer.sequence),
      error,
      complete,
    };
    connect(server.url).subscribe({ query, variables: { id: 'a lip-sync' } }, sink);
  });
  expect(seen).toEqual([1, 2, 3, 9]);
  const cursors = [undefined, 'cursor 2', 'cursor 2', 'cursor 3'];
  expect(server.asked.map(({ variables }) => variables.after)).toEqual(cursors);
  expect(server.asked.every(({ variables }) => variables.id === 'a lip-sync')).toBe(true);
});

test('it begins after the cursor that is given, and what it can not mend it passes on', async () => {
  await using server = await startScripted((stream) => stream.end(4400));
  const error = await new Promise((resolve) => {
    const sink = { next: vi.fn(), error: resolve, complete: vi.fn() };
    connect(server.url).subscribe({ query, variables: { after: 'cursor 5' } }, sink);
  });
  expect(error).toMatchObject({ code: 4400 });
  expect(server.asked.map(({ variables }) => variables.after)).toEqual(['cursor 5']);
});

test('what is no subscription to a log passes as it is', async () => {
  await using server = await startScripted((stream) => {
    stream.next({ name: 'anonymous' });
    stream.complete();
  });
  const next = vi.fn();
  await new Promise<void>((complete, error) => {
    connect(server.url).subscribe({ query: '{ viewer { name } }' }, { next, error, complete });
  });
  expect(next).toHaveBeenCalledExactlyOnceWith({ data: { answer: { name: 'anonymous' } } });
});
