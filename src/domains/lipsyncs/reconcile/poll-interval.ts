import type { Sql } from '../../../database/connect.ts';
import type { LipsyncDependencies } from '../dependencies.ts';

/** One background job per account with running lip-syncs: one list call serves all of them. */
export const pollQueue = 'poll-account';

/** From this age on a job is polled less often: [age in ms, factor of the interval]. */
const slowerWithAge = [
  [60 * 60_000, 8],
  [30 * 60_000, 4],
  [10 * 60_000, 2],
] as const;

/**
 * pg-boss starts a due job up to half a second late, so polls are scheduled that much earlier. Of a short interval at most
 * a twentieth is subtracted, or there would be two polls in one interval.
 */
const latenessMs = 500;
const maxLatenessShare = 1 / 20;

function factorOf(youngestAgeMs: number): number {
  return slowerWithAge.find(([age]) => youngestAgeMs >= age)?.[1] ?? 1;
}

/** The delay until the next poll of an account whose youngest job has this age. Jitter only shortens it. */
export function pollDelayMs(pollMs: number, youngestAgeMs: number, random: number): number {
  const factor = factorOf(youngestAgeMs);
  const intervalMs = pollMs * factor * (0.95 + 0.05 * random);
  return Math.round(intervalMs - Math.min(latenessMs, intervalMs * maxLatenessShare));
}

/**
 * Schedules a poll of the account, unless one at this pace is already scheduled. The pace is part of the key, so that a new
 * job does not wait for the slow poll scheduled for older ones.
 */
export async function ensurePoll(
  deps: LipsyncDependencies,
  accountId: string,
  { youngestAgeMs = 0, tx }: { youngestAgeMs?: number; tx?: Sql } = {},
): Promise<void> {
  const delay = pollDelayMs(deps.timing.pollMs, youngestAgeMs, Math.random());
  await deps.jobs.send(
    pollQueue,
    { accountId },
    {
      singletonKey: `${accountId}:${factorOf(youngestAgeMs)}`,
      startAfter: new Date(Date.now() + delay),
      ...(tx === undefined ? {} : { tx }),
    },
  );
}
