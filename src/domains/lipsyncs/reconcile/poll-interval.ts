import type { Sql } from '../../../database/connect.ts';
import type { Engine } from '../dependencies.ts';

/** A job per account that has something running: one list call serves all of its lip-syncs. */
export const pollQueue = 'poll-account';

/** From this age on a job is looked at less often: [age in ms, times the interval]. */
const slowerWithAge = [
  [60 * 60_000, 8],
  [30 * 60_000, 4],
  [10 * 60_000, 2],
] as const;

/**
 * pg-boss finds a due job up to half a second late: the look is due that much earlier, but of a short interval no more than
 * a twentieth, or there would be two looks where one was promised.
 */
const latenessMs = 500;
const mostLateness = 1 / 20;

function factorOf(youngestAgeMs: number): number {
  return slowerWithAge.find(([age]) => youngestAgeMs >= age)?.[1] ?? 1;
}

/** How long until the next look at an account whose youngest job has this age. Jitter only shortens it. */
export function pollDelayMs(pollMs: number, youngestAgeMs: number, random: number): number {
  const factor = factorOf(youngestAgeMs);
  const intervalMs = pollMs * factor * (0.95 + 0.05 * random);
  return Math.round(intervalMs - Math.min(latenessMs, intervalMs * mostLateness));
}

/**
 * Makes sure that the account will be looked at; where a look of this pace is waiting already, that one does. A fresh
 * job does not wait for the slow look that older ones have left behind.
 */
export async function ensurePoll(
  engine: Engine,
  accountId: string,
  { youngestAgeMs = 0, tx }: { youngestAgeMs?: number; tx?: Sql } = {},
): Promise<void> {
  const delay = pollDelayMs(engine.timing.pollMs, youngestAgeMs, Math.random());
  await engine.jobs.send(
    pollQueue,
    { accountId },
    {
      singletonKey: `${accountId}:${factorOf(youngestAgeMs)}`,
      startAfter: new Date(Date.now() + delay),
      ...(tx === undefined ? {} : { tx }),
    },
  );
}
