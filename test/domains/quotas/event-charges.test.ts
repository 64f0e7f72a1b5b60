import { expect, it } from 'vitest';
import { EventCharges } from '../../../src/domains/quotas/event-charges.ts';
import { QuotaExceededError } from '../../../src/errors.ts';

/** A budget that refills only while a stream waits for it. */
function openBudget(perMinute: number) {
  let left = perMinute;
  const spent: number[] = [];
  const waits: number[] = [];
  const charges = new EventCharges({
    costPerMinute: perMinute,
    spend: async (_owner, cost) => {
      if (cost > left) throw new QuotaExceededError('budget', Math.ceil(cost - left));
      left -= cost;
      spent.push(cost);
    },
    waitSeconds: async (seconds) => {
      waits.push(seconds);
      left += seconds;
    },
  });
  return { charges, spent, waits };
}

const isOpen = () => true;

it('events are paid in their order, wait for the budget to refill, and none is lost', async () => {
  const { charges, spent, waits } = openBudget(10);
  const sent: number[] = [];
  const events = Array.from({ length: 30 }, async (_, n) => {
    await charges.charge('ann', 2, isOpen);
    sent.push(n);
  });
  await Promise.all(events);
  expect(sent).toEqual([...Array(30).keys()]);
  expect(spent.reduce((sum, cost) => sum + cost, 0)).toBe(60);
  expect(waits.reduce((sum, seconds) => sum + seconds, 0)).toBeGreaterThanOrEqual(50);
});

it('events that arrive together are paid together', async () => {
  const { charges, spent } = openBudget(1_000);
  await Promise.all(Array.from({ length: 200 }, () => charges.charge('ann', 1, isOpen)));
  expect(spent).toEqual([1, 199]);
});

it('an event above the whole budget costs the whole budget, and is sent', async () => {
  const { charges, spent } = openBudget(10);
  await charges.charge('ann', 5_000, isOpen);
  await charges.charge('ann', 5_000, isOpen);
  expect(spent).toEqual([10, 10]);
});

it('streams that have closed meanwhile pay nothing and delay no other', async () => {
  const { charges, spent } = openBudget(10);
  const paid = charges.charge('ann', 10, isOpen);
  const closed = charges.charge('ann', 10, () => false);
  await Promise.all([paid, closed]);
  expect(spent).toEqual([10]);
});
