import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { createLipsync } from '../../support/lipsyncs.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app?.stop());

const subscription = `subscription ($id: ID!, $after: String) {
  lipsyncProgress(id: $id, after: $after) { ... on LipsyncProgress { cursor status } } }`;

// A page that reconnected with more than a hundred cursors once waited for the next event of one of them.
test('a hundred resumed subscriptions without an event do not hold up the next operation', async () => {
  const { id } = await createLipsync(app, { text: '[[never]] Quiet' });
  const socket = await RawWebSocket.open(app.url);
  socket.subscribe('first', subscription, { id });
  const isRunning = ({ payload }: { payload?: unknown }) =>
    JSON.stringify(payload ?? null).includes('GENERATING');
  const { payload } = await socket.message(isRunning);
  const progress = payload?.data?.lipsyncProgress as { cursor: string } | undefined;
  const after = progress?.cursor;
  expect(after).toBeDefined();
  // No event comes after this one: the job never ends, and its percent is not due within the test.
  for (let at = 0; at < 101; at += 1) socket.subscribe(`quiet-${at}`, subscription, { id, after });
  socket.subscribe('query', '{ viewer { name } }', {});
  const answer = await socket.message((message) => message.id === 'query');
  expect(answer).toMatchObject({ type: 'next', payload: { data: { viewer: {} } } });
  const early = socket.messages.filter((message) => message.id?.startsWith('quiet-'));
  expect(early).toEqual([]);
  socket.socket.terminate();
});
