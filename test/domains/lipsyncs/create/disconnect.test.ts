import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Held, openHeld } from '../../../e2e/instances/blocked-instance.ts';
import { expectSoundLog } from '../../../support/lipsync-app.ts';
import { createLipsyncMutation, longWait } from '../../../support/lipsyncs.ts';
import { RawWebSocket } from '../../../support/raw-websocket.ts';

let held: Held;
beforeEach(async () => {
  held = await openHeld();
});
afterEach(() => held.stop());

const countEnded = () => held.instance.logs.filter(({ msg }) => msg === 'request').length;

/** Each sends a create request and returns a function that cuts its connection. */
const transports: [string, (input: object) => Promise<() => Promise<unknown>>][] = [
  [
    'an HTTP request',
    async (input) => {
      const leaving = new AbortController();
      const asked = fetch(`${held.instance.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: createLipsyncMutation, variables: { input } }),
        signal: leaving.signal,
      }).catch((error: Error) => error.name);
      return async () => {
        const before = countEnded();
        leaving.abort();
        expect(await asked).toBe('AbortError');
        await vi.waitFor(() => expect(countEnded()).toBeGreaterThan(before), longWait);
      };
    },
  ],
  [
    'a WebSocket',
    async (input) => {
      const client = await RawWebSocket.open(held.instance.url);
      client.subscribe('1', createLipsyncMutation, { input });
      return () => {
        client.socket.terminate();
        return client.closed;
      };
    },
  ],
];

describe('a caller that disconnects', () => {
  it.each(transports)('does not stop the POST: %s that is cut', async (text, create) => {
    const { instance, upstream } = held;
    const video = { videoId: await instance.source() };
    const input = { video, speech: { script: { text } }, idempotencyKey: text };
    const answer = upstream.hold('POST /videos/lipsync');
    const disconnect = await create(input);
    await vi.waitFor(() => expect(upstream.countOf('POST /videos/lipsync')).toBe(1), longWait);
    await disconnect();
    answer();
    const job = await upstream.nextJob();
    const [{ id = '' } = {}] = await instance.list();
    await instance.waitForStatus(id, 'SUBMITTED');
    // The caller repeats the request.
    expect(await instance.create(input)).toMatchObject({ replayed: true, lipsync: { id } });
    await job.become(8);
    expect((await instance.waitForEnd(id)).status).toBe('FAILED');
    expectSoundLog(await instance.readEvents(id));
    expect(upstream.countOf('POST /videos/lipsync')).toBe(1);
  });
});
