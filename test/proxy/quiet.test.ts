import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultHeartbeatMs } from '../../src/server/sse/heartbeat.ts';
import { createApiKeys } from '../support/api-keys.ts';
import { idOf, type LipsyncApp, startLipsyncApp } from '../support/lipsync-app.ts';
import { connectionKinds, type OpenStream, openStream } from '../support/open-stream.ts';
import { startNginx } from './nginx.ts';

/*
 * Five minutes behind a proxy with a timeout of one minute, twelve times as fast. No clock is read:
 * five minutes are over when the same proxy has cut five quiet streams in sequence.
 */
const faster = 12;
const cutMs = 60_000 / faster;
const cuts = 5;

const { env, headers } = createApiKeys({
  watcher: ['lipsync:read', 'lipsync:write', 'videos:read'],
});
const { authorization } = headers.watcher;
const token = authorization.replace('Bearer ', '');

type Side = { app: LipsyncApp; id: string; url: string; close(): Promise<void> };

/** A server behind nginx, with a lip-sync without further events. */
async function openSide(heartbeatMs: number): Promise<Side> {
  const app = await startLipsyncApp({ env: { ...env, POLL_INTERVAL_MS: '600000' }, heartbeatMs });
  await app.turn({ callbacks: 'none' });
  const [video = ''] = await app.listVideoIds(undefined, headers.watcher);
  const input = { video: { videoId: video }, speech: { script: { text: '[[never]] Quiet' } } };
  const id = idOf(await app.create(input, headers.watcher));
  const nginx = await startNginx(app.url, { cutMs });
  const close = async () => {
    await nginx[Symbol.asyncDispose]();
    await app.stop();
  };
  return { app, id, url: nginx.url, close };
}

let alive: Side;
/** A server whose heartbeat is longer than the test. */
let silent: Side;
beforeAll(async () => {
  [alive, silent] = await Promise.all([openSide(defaultHeartbeatMs / faster), openSide(3_600_000)]);
});
afterAll(() => Promise.all([alive?.close(), silent?.close()]));

const watching = ({ url, id }: Side) => ({ url, id, token });

/** A connection that was cut ends without a close frame and without complete. */
const cut = (stream: OpenStream) => stream.ended.catch(() => null);

test('every quiet stream survives five minutes behind a proxy that cuts idle connections after one, and receives its end', async () => {
  const streams = await Promise.all(
    connectionKinds.map((kind) => openStream(kind, watching(alive))),
  );
  for (let minute = 0; minute < cuts; minute += 1) {
    await cut(await openStream('SSE by GET', watching(silent)));
  }
  expect(streams.map((stream, at) => [connectionKinds[at], stream.isOpen()])).toEqual(
    connectionKinds.map((kind) => [kind, true]),
  );
  await alive.app.cancel(alive.id, headers.watcher);
  const subscribed = streams.filter((_, at) => connectionKinds[at] !== 'an idle WebSocket');
  await Promise.all(subscribed.map((stream) => stream.completes()));
  for (const stream of streams) stream.disconnect();
});

test.concurrent.each(connectionKinds)(
  'the same proxy cuts %s if heartbeats are off',
  async (kind) => {
    const stream = await openStream(kind, watching(silent));
    await cut(stream);
    expect(stream.isOpen()).toBe(false);
    expect(stream.isComplete()).toBe(false);
  },
);
