import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startHeartbeat } from '../../../src/server/sse/heartbeat.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('heartbeats', () => {
  test('of connections that opened together are spread over a tenth of the interval, and none is late', () => {
    const begunAt = Date.now();
    const firstBeats: number[] = [];
    const stops = Array.from({ length: 200 }, () => {
      let count = 0;
      return startHeartbeat(() => {
        count += 1;
        if (count === 1) firstBeats.push(Date.now() - begunAt);
      }, 10_000);
    });
    vi.advanceTimersByTime(10_000);
    for (const stop of stops) stop();
    expect(firstBeats).toHaveLength(200);
    expect(Math.min(...firstBeats)).toBeGreaterThanOrEqual(9_000);
    // With 200 of 1,000 milliseconds chosen at random, half of them equal is out of the question.
    expect(new Set(firstBeats).size).toBeGreaterThan(100);
  });

  test('wait for a slow one, and stop', async () => {
    const slow = Promise.withResolvers<void>();
    const send = vi.fn(() => slow.promise);
    const stop = startHeartbeat(send, 1_000);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(send).toHaveBeenCalledTimes(1);
    slow.resolve();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(send.mock.calls.length).toBeGreaterThan(1);
    stop();
    const count = send.mock.calls.length;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(send).toHaveBeenCalledTimes(count);
  });
});
