import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { shares as sharesOfRequests } from './requests.ts';
import { held, type Share, type Take } from './share.ts';
import { shares as sharesOfWork } from './work.ts';

const shares = [...sharesOfRequests, ...sharesOfWork];
const root = join(import.meta.dirname, '../../../..');

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** @returns the outcome of each, of one more than the share */
async function takeAll(take: Take, { size, atOnce = false }: Share): Promise<unknown[]> {
  const attempts = [...Array(size + 1).keys()];
  if (atOnce) return await Promise.all(attempts.map(() => take('ann')));
  const outcomes: unknown[] = [];
  for (const _ of attempts) outcomes.push(await take('ann'));
  return outcomes;
}

describe('the table', () => {
  test('has a row for every file that shares slots among owners', () => {
    const files = globSync('src/**/*.ts', { cwd: root });
    const users = files.filter((file) =>
      readFileSync(join(root, file), 'utf8').includes('new OwnerSlots('),
    );
    expect(users.length).toBeGreaterThan(5);
    const counted = shares.map(({ countedIn }) => countedIn);
    expect(counted).toEqual(expect.arrayContaining(users));
    expect(files).toEqual(expect.arrayContaining(counted));
  });
});

describe('keeps out', () => {
  test.each(shares)(
    'an owner that takes all it can of $resource: another owner gets one, and the first its answer',
    async (share) => {
      const { open, size, answer } = share;
      const take = await open((close) => void closers.push(close));
      const outcomes = await takeAll(take, share);
      expect(outcomes.filter((outcome) => outcome !== held)).toEqual([answer]);
      expect(outcomes).toHaveLength(size + 1);
      expect(await take('bob')).toBe(held);
    },
  );
});
