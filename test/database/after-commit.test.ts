import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../../src/database/connect.ts';
import { afterCommit } from '../../src/database/transaction.ts';
import { testDatabase } from '../support/database.ts';

let db: Database;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db?.close());

it('calls a listener after the commit, in the order of the calls', async () => {
  const steps: string[] = [];
  await db.transaction(async (tx) => {
    afterCommit(() => steps.push('first'));
    await tx.query('select 1');
    afterCommit(() => steps.push('second'));
    steps.push('work');
  });
  expect(steps).toEqual(['work', 'first', 'second']);
});

it('never calls a listener of a transaction that is rolled back', async () => {
  const steps: string[] = [];
  const failed = db.transaction(async () => {
    afterCommit(() => steps.push('told'));
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  expect(steps).toEqual([]);
});

it('calls a listener once although the transaction is repeated after a conflict', async () => {
  const steps: string[] = [];
  let attempts = 0;
  await db.transaction(async () => {
    attempts += 1;
    afterCommit(() => steps.push(`attempt ${attempts}`));
    if (attempts === 1)
      throw Object.assign(new Error('conflict'), { code: '40001', severity: 'ERROR' });
  });
  expect(steps).toEqual(['attempt 2']);
});

it('calls a listener at once outside of transactions', () => {
  const steps: string[] = [];
  afterCommit(() => steps.push('told'));
  expect(steps).toEqual(['told']);
});
