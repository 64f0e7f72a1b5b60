import { describe, expect, it } from 'vitest';
import { runOneAtATime } from '../../../src/domains/webhooks/run-one-at-a-time.ts';

/** `endRest` ends the rest between two runs, and resolves when its consequences have happened. */
function start() {
  const stopping = new AbortController();
  const counts = { runs: 0, rests: 0 };
  let end = () => {};
  const rest = () => {
    counts.rests += 1;
    return new Promise<void>((resolve) => {
      end = resolve;
      stopping.signal.addEventListener('abort', () => resolve());
    });
  };
  const task = async () => {
    counts.runs += 1;
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const wake = runOneAtATime(task, { rest, stopping: stopping.signal });
  const endRest = () => {
    end();
    return settle();
  };
  return { wake, stopping, counts, settle, endRest };
}

describe('works', () => {
  it('runs once more after many calls, and not before the rest is over', async () => {
    const { wake, counts, settle, endRest } = start();
    for (let call = 0; call < 100; call += 1) void wake();
    await settle();
    expect(counts).toEqual({ runs: 1, rests: 1 });
    void wake();
    await endRest();
    expect(counts).toEqual({ runs: 2, rests: 2 });
    await endRest();
    expect(counts).toEqual({ runs: 2, rests: 2 });
  });

  it('runs at once when it is called after the rest', async () => {
    const { wake, counts, settle, endRest } = start();
    void wake();
    await settle();
    await endRest();
    void wake();
    expect(counts.runs).toBe(2);
  });

  it('does not run again when it is stopped', async () => {
    const { wake, stopping, counts, settle } = start();
    const ended = wake();
    await settle();
    void wake();
    stopping.abort();
    await ended;
    await wake();
    expect(counts.runs).toBe(1);
  });
});
