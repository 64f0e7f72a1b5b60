import { createClient, type FormattedExecutionResult, type Sink } from 'graphql-ws/client';
import { resumable } from 'lipsync-graphql-client';
import { expect, test, vi } from 'vitest';
import { event, type Step, startScriptedServer } from './scripted-server.ts';

const query = 'subscription ($id: ID!, $after: String) { any selection }';

const disconnectAfterSequences =
  (...sequences: number[]): Step =>
  (stream) => {
    for (const sequence of sequences) stream.next(event(sequence, 'GENERATING'));
    stream.disconnect(1012);
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

test('a graphql-ws client resumes after the last event it delivered', async () => {
  await using server = await startScriptedServer(
    disconnectAfterSequences(1, 2),
    disconnectAfterSequences(),
    disconnectAfterSequences(3),
    end,
  );
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
  expect(server.requests.map(({ variables }) => variables.after)).toEqual(cursors);
  expect(server.requests.every(({ variables }) => variables.id === 'a lip-sync')).toBe(true);
});

test('starts after the given cursor, and passes fatal errors on', async () => {
  await using server = await startScriptedServer((stream) => stream.disconnect(4400));
  const error = await new Promise((resolve) => {
    const sink = { next: vi.fn(), error: resolve, complete: vi.fn() };
    connect(server.url).subscribe({ query, variables: { after: 'cursor 5' } }, sink);
  });
  expect(error).toMatchObject({ code: 4400 });
  expect(server.requests.map(({ variables }) => variables.after)).toEqual(['cursor 5']);
});

test('passes operations without a cursor through unchanged', async () => {
  await using server = await startScriptedServer((stream) => {
    stream.next({ name: 'anonymous' });
    stream.complete();
  });
  const next = vi.fn();
  await new Promise<void>((complete, error) => {
    connect(server.url).subscribe({ query: '{ viewer { name } }' }, { next, error, complete });
  });
  expect(next).toHaveBeenCalledExactlyOnceWith({ data: { answer: { name: 'anonymous' } } });
});
