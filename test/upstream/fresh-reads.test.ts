import { describe, expect, test } from 'vitest';
import { DerivedReads } from '../../src/upstream/derived-reads.ts';
import { FreshReads } from '../../src/upstream/fresh-reads.ts';
import { ReadSources } from '../../src/upstream/read-sources.ts';

type Answer = { text: string };

/** Reads with a limit of a second, an upstream that answers when the test says so, and a clock that only `pass` moves. */
function open({ freshMs = 1_000, maxCached = 3 } = {}) {
  let nowMs = 1_000_000;
  let changes = 0;
  const refreshErrors: unknown[] = [];
  const calls: PromiseWithResolvers<Answer>[] = [];
  const reads = new FreshReads<Answer>({
    freshMs,
    maxCached,
    now: () => new Date(nowMs),
    isCacheable: ({ text }) => text !== 'not kept',
    onChange: () => {
      changes += 1;
    },
    onRefreshError: (error) => refreshErrors.push(error),
  });
  const work = () => {
    const call = Promise.withResolvers<Answer>();
    calls.push(call);
    return call.promise;
  };
  const read = async (key = 'key') => (await reads.read(key, work)).text;
  const answer = (text: string, at = calls.length - 1) => calls[at]?.resolve({ text });
  const fail = (at = calls.length - 1) => calls[at]?.reject(new Error('no'));
  return {
    reads,
    work,
    read,
    answer,
    fail,
    refreshErrors,
    calls: () => calls.length,
    changes: () => changes,
    pass: (ms: number) => {
      nowMs += ms;
    },
    /** Asks and answers. */
    async readAnswered(text: string, key = 'key') {
      const result = read(key);
      answer(text);
      return await result;
    },
    /** Lets work that nothing awaits settle. */
    settle: () => new Promise<void>((resolve) => setImmediate(resolve)),
  };
}

describe('an answer', () => {
  test('is shared by concurrent reads, and served to later ones for less than the limit', async () => {
    const it = open();
    const reads = Array.from({ length: 100 }, () => it.read());
    it.answer('one');
    expect(new Set(await Promise.all(reads))).toEqual(new Set(['one']));
    it.pass(499);
    for (let n = 0; n < 100; n += 1) expect(await it.read()).toBe('one');
    expect(it.calls()).toBe(1);
  });

  test('is as old as its request, not as its arrival', async () => {
    const it = open();
    const reading = it.read();
    it.pass(900);
    it.answer('one');
    await reading;
    it.pass(100);
    expect(await it.readAnswered('two')).toBe('two');
  });

  test('that is half as old as the limit is refreshed once, and nothing waits for that', async () => {
    const it = open();
    await it.readAnswered('one');
    it.pass(500);
    for (let n = 0; n < 10; n += 1) expect(await it.read()).toBe('one');
    expect(it.calls()).toBe(2);
    it.answer('two');
    await it.settle();
    expect(await it.read()).toBe('two');
    it.pass(999);
    expect(await it.read()).toBe('two');
  });

  test('never makes a read wait under steady load', async () => {
    const it = open();
    await it.readAnswered('0');
    for (let turn = 1; turn < 50; turn += 1) {
      it.pass(250);
      const seen = await Promise.race([it.read(), it.settle().then(() => 'waits')]);
      expect(seen).not.toBe('waits');
      it.answer(`${turn}`);
      await it.settle();
    }
    expect(it.calls()).toBeLessThan(30);
  });

  test('as old as the limit is not served: a read waits for a new one', async () => {
    const it = open();
    await it.readAnswered('one');
    it.pass(1_000);
    const read = it.read();
    expect(await Promise.race([read, it.settle()])).toBeUndefined();
    it.answer('two');
    expect(await read).toBe('two');
  });

  test('from the future is not served: the clock was set back', async () => {
    const it = open();
    await it.readAnswered('one');
    it.pass(-3_600_000);
    expect(await it.readAnswered('two')).toBe('two');
  });

  test('is not kept with a limit of 0, or if it must not be', async () => {
    const never = open({ freshMs: 0 });
    expect(await never.readAnswered('one')).toBe('one');
    expect(await never.readAnswered('two')).toBe('two');
    const it = open();
    await it.readAnswered('not kept');
    expect(await it.readAnswered('two')).toBe('two');
  });

  test('that was used least recently is dropped beyond the bound', async () => {
    const it = open({ maxCached: 2 });
    await it.readAnswered('a', 'a');
    await it.readAnswered('b', 'b');
    await it.read('a');
    await it.readAnswered('c', 'c');
    expect([await it.read('a'), await it.read('c')]).toEqual(['a', 'c']);
    expect(it.calls()).toBe(3);
    expect(await it.readAnswered('new b', 'b')).toBe('new b');
  });
});

describe('a failure', () => {
  test('is not kept, but shared by the reads of the same moment', async () => {
    const it = open();
    const read = it.read();
    it.fail();
    await expect(read).rejects.toThrow('no');
    await expect(it.read()).rejects.toThrow('no');
    expect(it.calls()).toBe(1);
    it.pass(200);
    expect(await it.readAnswered('one')).toBe('one');
  });

  test('of a refresh leaves the answer until that is too old', async () => {
    const it = open();
    await it.readAnswered('one');
    it.pass(600);
    await it.read();
    it.fail();
    await it.settle();
    expect(it.refreshErrors).toHaveLength(1);
    expect(await it.read()).toBe('one');
    expect(it.calls()).toBe(2);
    it.pass(200);
    expect(await it.read()).toBe('one');
    expect(it.calls()).toBe(3);
    it.fail();
    await it.settle();
    it.pass(200);
    expect(await it.readAnswered('two')).toBe('two');
  });
});

describe('after a change', () => {
  test('a read asks, and shares no call that began before', async () => {
    const it = open();
    await it.readAnswered('one');
    it.pass(500);
    await it.read();
    it.reads.drop();
    const read = it.read();
    it.answer('before the change', 1);
    await it.settle();
    it.answer('after the change', 2);
    expect(await read).toBe('after the change');
    expect(await it.read()).toBe('after the change');
    expect(it.calls()).toBe(3);
  });

  test('a failure before it is forgotten', async () => {
    const it = open();
    const read = it.read();
    it.fail();
    await read.catch(() => undefined);
    it.reads.drop();
    expect(await it.readAnswered('one')).toBe('one');
  });
});

describe('a version', () => {
  test('changes when kept content is replaced by different content or dropped, and only then', async () => {
    const it = open();
    await it.readAnswered('one');
    it.pass(1_000);
    await it.readAnswered('one');
    expect(it.changes()).toBe(0);
    it.pass(1_000);
    await it.readAnswered('two');
    expect(it.changes()).toBe(1);
    it.reads.drop();
    expect(it.changes()).toBe(2);
    it.reads.drop();
    expect(it.changes()).toBe(2);
  });
});

describe('the sources of a result', () => {
  async function collected(it: ReturnType<typeof open>) {
    const sources = new ReadSources();
    await sources.collect(() => it.readAnswered('one'));
    return sources;
  }

  test('are current for as long as the same content is kept and fresh, and keep it fresh', async () => {
    const it = open();
    const sources = await collected(it);
    it.pass(999);
    expect(sources.isCurrent()).toBe(true);
    expect(it.calls()).toBe(2);
    it.answer('one');
    await it.settle();
    it.pass(999);
    expect(sources.isCurrent()).toBe(true);
    it.answer('two');
    await it.settle();
    expect(sources.isCurrent()).toBe(false);
  });

  test('are not current after a change, when too old, and without any read', async () => {
    const it = open();
    const old = await collected(it);
    it.pass(1_000);
    expect(old.isCurrent()).toBe(false);
    const dropped = await collected(it);
    it.reads.drop();
    expect(dropped.isCurrent()).toBe(false);
    expect(new ReadSources().isCurrent()).toBe(false);
  });

  test('are never current with a failure or with an answer that is not kept', async () => {
    const it = open();
    await it.readAnswered('one', 'good');
    const failed = new ReadSources();
    await failed.collect(async () => {
      await it.read('good');
      const read = it.read('bad');
      it.fail();
      await read.catch(() => undefined);
    });
    expect(failed.isCurrent()).toBe(false);
    const uncached = new ReadSources();
    await uncached.collect(async () => [await it.read('good'), await it.readAnswered('not kept')]);
    expect(uncached.isCurrent()).toBe(false);
  });
});

test('a derived result is made once for each content of what it was made from', async () => {
  const it = open();
  const derived = new DerivedReads<string>({ maxCached: 2 });
  let made = 0;
  const read = () =>
    derived.read('page', async () => {
      made += 1;
      return `page of ${(await it.reads.read('key', it.work)).text}`;
    });
  const [first, second] = [read(), read()];
  await it.settle();
  it.answer('one');
  expect([await first, await second]).toEqual(['page of one', 'page of one']);
  it.pass(500);
  await read();
  it.answer('one');
  await it.settle();
  expect(await read()).toBe('page of one');
  expect(made).toBe(1);
  it.pass(500);
  await read();
  it.answer('two');
  await it.settle();
  expect(await read()).toBe('page of two');
  expect(made).toBe(2);
});
