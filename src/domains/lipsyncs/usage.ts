import { InvalidInputError } from '../../errors.ts';
import type { LipsyncDependencies } from './dependencies.ts';
import {
  type OwnerUsage,
  readUsageByOwner,
  readUsageDays,
  type UsageDay,
} from './store/usage-days.ts';

const dayMs = 86_400_000;
const maxDays = 366;
const defaultDays = 30;

/** `to` null: today. `from` null: the thirty days that end with `to`. */
export type UsageRange = { from: Date | null; to: Date | null };

/** The days that the range touches. @throws InvalidInputError */
export async function readUsageOf(
  deps: Pick<LipsyncDependencies, 'db' | 'now'>,
  owner: string,
  range: UsageRange,
): Promise<UsageDay[]> {
  const to = range.to ?? deps.now();
  const from = range.from ?? new Date(to.getTime() - (defaultDays - 1) * dayMs);
  const days = dayNumber(to) - dayNumber(from) + 1;
  if (days < 1) throw invalid('to', 'to must not be before from.');
  if (days > maxDays) throw invalid('from', `The range has more than ${maxDays} days.`);
  // PostgreSQL rejects U+0000, and would get U+FFFD for half of a surrogate pair. No owner contains either.
  if (owner.includes('\0') || !owner.isWellFormed()) return [];
  return readUsageDays(deps.db, owner, { from: dayOf(from), to: dayOf(to) });
}

/** `day` null: today. `after` null: from the first owner on. */
export type OwnerUsagePage = { day: Date | null; after: string | null; limit: number };

/** What each owner used on one day, in the order of their names. */
export async function readUsageOfDay(
  deps: Pick<LipsyncDependencies, 'db' | 'now'>,
  { day, after, limit }: OwnerUsagePage,
): Promise<OwnerUsage[]> {
  // As in `readUsageOf`.
  if (after?.includes('\0') || after?.isWellFormed() === false) return [];
  return readUsageByOwner(deps.db, { day: dayOf(day ?? deps.now()), after: after ?? '', limit });
}

const dayNumber = (at: Date) => Math.floor(at.getTime() / dayMs);

const dayOf = (at: Date) => at.toISOString().slice(0, 10);

function invalid(name: string, message: string): InvalidInputError {
  return new InvalidInputError([{ path: [name], message, code: 'OUT_OF_RANGE' }]);
}
