import type { LipsyncDependencies } from './dependencies.ts';
import { countByStatus } from './store/lipsyncs.ts';
import { countRunning, readQueueOwners, readUnfinished } from './store/work.ts';

/** The live work of all instances, for `/metrics`. An account is named by its id, which contains nothing of its e-mail. */
export async function readWork({ db, accounts, now }: LipsyncDependencies) {
  const [unfinished, statuses, running, availability] = await Promise.all([
    readUnfinished(db),
    countByStatus(db),
    countRunning(db),
    accounts.readAvailability(db, now()),
  ]);
  const { oldestWaitingAt } = unfinished;
  const waitedMs = oldestWaitingAt === null ? 0 : now().getTime() - oldestWaitingAt.getTime();
  const countOf = (id: string) => running.find(({ accountId }) => accountId === id)?.count ?? 0;
  return {
    waiting: unfinished.waiting,
    oldestWaitingSeconds: Math.max(0, waitedMs / 1_000),
    outcomeUnknown: unfinished.outcomeUnknown,
    statuses,
    accounts: availability
      .map(({ id, isPaused, isPresent }) => ({
        ...{ alias: id, running: countOf(id), isPaused },
        isListed: isPresent,
      }))
      .filter(({ isListed, running: count }) => isListed || count > 0),
  };
}

/** The live work of all instances, for admins. */
export function readQueue({ db }: Pick<LipsyncDependencies, 'db'>) {
  return {
    readUnfinished: () => readUnfinished(db),
    readQueueOwners: (limit: number) => readQueueOwners(db, limit),
  };
}
