/**
 * A seeded day of a large installation: 1,000 accounts and a million lip-syncs, with three owners that create 20,000 each at once.
 * It holds the fairness of the queue, the number of reads of the upstream, and the size of the event log. Nothing here is
 * measured, so the figures are the same on every machine.
 *
 *     npm run bench -- simulation
 */
import type { Comparison, Measurement } from './report.ts';
import { type Outcome, type Settings, simulateDay } from './simulation/model.ts';

const day: Settings = {
  seed: 20_260,
  order: 'fair',
  accounts: 1_000,
  slotsPerAccount: 3,
  owners: 2_000,
  lipsyncsPerDay: 1_000_000,
  bursts: { owners: 3, lipsyncs: 20_000 },
  medianSeconds: 120,
  pollMs: 15_000,
  lostCallbacks: 0.05,
};

/** A tenth of everything, for the gate. */
const shortDay = {
  ...day,
  accounts: 100,
  owners: 200,
  lipsyncsPerDay: 100_000,
  bursts: { owners: 3, lipsyncs: 2_000 },
};

export const run: Measurement = async ({ isShort }) => {
  const settings = isShort ? shortDay : day;
  const fair = simulateDay(settings);
  const firstCome = simulateDay({ ...settings, order: 'first come' });
  print(settings, fair);
  return [
    compare('the 99th percentile of the waits beside the bursts', {
      ...{ unit: 's', ours: percentile(fair.waitsBesideBursts, 0.99) },
      peer: ['first come, first served', percentile(firstCome.waitsBesideBursts, 0.99)],
      atMost: 0.5,
    }),
    compare('median difference in running jobs of owners that wait', {
      ...{ unit: 'jobs', ours: percentile(fair.spreads, 0.5), peer: ['one job', 1], atMost: 2 },
    }),
    compare('polls of the busiest account', {
      ...{ unit: 'per interval', ours: fair.busiestAccountShare },
      ...{ peer: ['one per interval', 1] as const, atMost: 1.1 },
    }),
    compare('reads of lists', {
      ...{ unit: 'per lip-sync', ours: (fair.polls + fair.callbackReads) / fair.completed },
      peer: ['polling each lip-sync', settings.medianSeconds / (settings.pollMs / 1_000)],
      atMost: 1,
    }),
    compare('events of the lip-sync with the most', {
      ...{ unit: 'events', ours: fair.mostEvents, peer: ['the promised bound', 100], atMost: 1 },
    }),
  ];
};

function compare(
  name: string,
  figure: { unit: string; ours: number; peer: readonly [string, number]; atMost: number },
): Comparison {
  const { unit, ours, peer, atMost } = figure;
  return {
    ...{ name, unit, ours: [ours], peer: { name: peer[0], values: [peer[1]] } },
    promise: { bound: 'at most', ratio: atMost },
  };
}

function print({ accounts, slotsPerAccount }: Settings, outcome: Outcome): void {
  const { completed, longestQueue, mostRunning, polls, callbackReads, events } = outcome;
  process.stdout.write(
    `${completed} lip-syncs, at most ${mostRunning} of ${accounts * slotsPerAccount} slots taken, at most ${longestQueue} waiting; ${polls} polls, ${callbackReads} reads after callbacks, ${events} events (${(events / completed).toFixed(1)} each)\n`,
  );
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
