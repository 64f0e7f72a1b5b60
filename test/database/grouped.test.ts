import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/connect.ts';
import { GroupedWork } from '../../src/database/grouped.ts';
import { testDatabase } from '../support/database.ts';

let db: Database;
beforeAll(async () => {
  db = await testDatabase({ migrated: false });
});
afterAll(() => db.close());

/** Counts up to each number in the database, and records the groups. */
function createCounter() {
  const groups: string[][] = [];
  const work = new GroupedWork(async (items: readonly string[]) => {
    groups.push([...items]);
    const rows = await db.query<{ next: number }>(
      'select item::int + 1 as next from unnest($1::text[]) with ordinality as t (item, at) order by at',
      [items],
    );
    return rows.map(({ next }) => next);
  });
  return { groups, run: (item: string) => work.run(item) };
}

describe('works', () => {
  it('does the work of all calls of one turn together, and gives each its own result', async () => {
    const { groups, run } = createCounter();
    expect(await Promise.all(['1', '2', '3'].map(run))).toEqual([2, 3, 4]);
    expect(groups).toEqual([['1', '2', '3']]);
  });

  it('collects the calls that come while a group is in progress, in their order', async () => {
    const later: Promise<unknown>[] = [];
    const groups: string[][] = [];
    const work = new GroupedWork(async (items: readonly string[]) => {
      groups.push([...items]);
      if (groups.length === 1) later.push(...['2', '3'].map((item) => work.run(item)));
      await db.query('select 1');
      return items;
    });
    expect(await work.run('1')).toBe('1');
    expect(await Promise.all(later)).toEqual(['2', '3']);
    expect(groups).toEqual([['1'], ['2', '3']]);
  });

  it('begins the next group before the end of a group that allows it', async () => {
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const groups: string[][] = [];
    const work = new GroupedWork(async (items: readonly string[], beginNext) => {
      groups.push([...items]);
      if (groups.length > 1) return items;
      beginNext();
      begun.resolve();
      await ended.promise;
      return items;
    });
    const first = work.run('1');
    await begun.promise;
    expect(await work.run('2')).toBe('2');
    ended.resolve();
    expect(await first).toBe('1');
    expect(groups).toEqual([['1'], ['2']]);
  });

  it('processes at most a hundred at a time', async () => {
    const { groups, run } = createCounter();
    await Promise.all(Array.from({ length: 250 }, (_, n) => run(String(n))));
    expect(groups.map(({ length }) => length)).toEqual([100, 100, 50]);
  });

  it('runs outside the transaction of the call that begins a group', async () => {
    const { run } = createCounter();
    const started = await db.transaction(async () => ({ result: run('1') }));
    expect(await started.result).toBe(2);
  });
});

describe('keeps out', () => {
  it('an item that the database rejects: the others of its group get their results', async () => {
    const { groups, run } = createCounter();
    const results = await Promise.allSettled(['1', 'no number', '3'].map(run));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(groups).toEqual([['1', 'no number', '3'], ['1'], ['no number'], ['3']]);
  });

  it('no later call after an error: each call of the failed group is rejected', async () => {
    let isDown = true;
    const work = new GroupedWork(async (items: readonly string[]) => {
      if (isDown) throw new Error('The database went away.');
      return items;
    });
    const results = await Promise.allSettled(['1', '2'].map((item) => work.run(item)));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    isDown = false;
    expect(await work.run('3')).toBe('3');
  });
});
