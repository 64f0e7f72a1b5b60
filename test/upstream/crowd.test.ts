import { describe, expect, test } from 'vitest';
import { Crowd } from '../../src/upstream/crowd.ts';

/** A crowd by a clock that stands still unless it is told to move, and the answers it may get, numbered. */
function open() {
  let nowMs = 0;
  let reads = 0;
  const crowd = new Crowd<number>(() => new Date(nowMs));
  const read = () => {
    reads += 1;
    return Promise.resolve(reads);
  };
  return {
    ask: () => crowd.join(read),
    fail: () => crowd.join(() => Promise.reject(new Error('no'))),
    leave: () => crowd.join(read, AbortSignal.abort(new Error('left'))),
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

/** Past the first answer since the start. */
async function openLater() {
  const it = open();
  await it.ask();
  it.wait(500);
  return it;
}

describe('gives one answer to', () => {
  test('all who ask at the same time', async () => {
    const { ask } = open();
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1]);
  });

  test('two hundred who come one behind the other since the start', async () => {
    const { ask, wait } = open();
    const answers: number[] = [];
    for (let n = 0; n < 200; n += 1) {
      answers.push(await ask());
      wait(49);
    }
    expect(new Set(answers)).toEqual(new Set([1]));
  });

  test('those who come close behind two who shared it', async () => {
    const { ask, wait } = await openLater();
    expect(await Promise.all([ask(), ask()])).toEqual([2, 2]);
    wait(499);
    expect(await ask()).toBe(2);
    wait(499);
    expect(await ask()).toBe(2);
    wait(500);
    expect(await ask()).toBe(3);
  });
});

describe('reads again for', () => {
  test('who asks alone, again and again', async () => {
    const { ask } = await openLater();
    expect([await ask(), await ask(), await ask()]).toEqual([2, 3, 4]);
  });

  test('who comes after a crowd has had one answer for ten seconds', async () => {
    const { ask, wait } = await openLater();
    await Promise.all([ask(), ask()]);
    for (let seconds = 0; seconds < 10; seconds += 0.25) {
      expect(await ask()).toBe(2);
      wait(250);
    }
    expect(await ask()).toBe(3);
  });

  test('all who come after a failure, also where many shared it', async () => {
    const { ask, fail } = open();
    await Promise.allSettled([fail(), fail()]);
    expect(await ask()).toBe(1);
  });
});

test('who has left already gets the reason', async () => {
  await expect(open().leave()).rejects.toThrow('left');
});
