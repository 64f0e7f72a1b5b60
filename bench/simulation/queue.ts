export type Job = {
  owner: number;
  createdAt: number;
  submittedAt: number;
  /** Of another owner, created while jobs of a burst waited. */
  isBesideBurst: boolean;
  durationS: number;
  /** The position among the owner's waiting jobs when it was created; 0: sent at once. */
  firstPosition: number;
  percent: number;
  percentAt: number | null;
  events: number;
};

type Owner = {
  waiting: Job[];
  head: number;
  underWay: number;
  lastTurn: number;
  waitingSince: number;
};

/** The waiting jobs of all owners. `order` decides which owner is next. */
export type Queue = {
  /** Returns the job's position among those of its owner, 1 = next. */
  add(job: Job, now: number): number;
  /** The next job, with its owner counted as served. */
  take(): Job | null;
  release(owner: number): void;
  readonly length: number;
  /**
   * The difference between the highest and the lowest number of running jobs among the owners that have waited without a
   * pause since then; null if they are fewer than two.
   */
  spreadOfRunning(since: number): number | null;
};

/**
 * `fair` is the order of `readNextOfEachOwner` in `src/domains/lipsyncs/store/queue.ts`: first the owner with the fewest
 * running jobs, then the owner served longest ago. `first come` is a plain queue, for comparison.
 */
export function createQueue(order: 'fair' | 'first come', owners: number): Queue {
  const all: Owner[] = Array.from({ length: owners }, () => ({
    waiting: [],
    head: 0,
    underWay: 0,
    lastTurn: 0,
    waitingSince: 0,
  }));
  const withWaiting = new Set<number>();
  let length = 0;
  let turn = 0;
  const isBefore = (a: Owner, b: Owner) =>
    order === 'fair'
      ? a.underWay < b.underWay || (a.underWay === b.underWay && a.lastTurn < b.lastTurn)
      : firstOf(a).createdAt < firstOf(b).createdAt;
  return {
    add(job, now) {
      const owner = all[job.owner] as Owner;
      if (owner.waiting.length === owner.head) owner.waitingSince = now;
      owner.waiting.push(job);
      withWaiting.add(job.owner);
      length += 1;
      return owner.waiting.length - owner.head;
    },
    take() {
      let next: number | null = null;
      for (const index of withWaiting) {
        if (next === null || isBefore(all[index] as Owner, all[next] as Owner)) next = index;
      }
      if (next === null) return null;
      const owner = all[next] as Owner;
      const job = firstOf(owner);
      owner.head += 1;
      owner.underWay += 1;
      turn += 1;
      owner.lastTurn = turn;
      length -= 1;
      if (owner.head === owner.waiting.length) {
        withWaiting.delete(next);
        owner.waiting = [];
        owner.head = 0;
      }
      return job;
    },
    release(owner) {
      (all[owner] as Owner).underWay -= 1;
    },
    get length() {
      return length;
    },
    spreadOfRunning(since) {
      const counts = [...withWaiting]
        .map((index) => all[index] as Owner)
        .filter(({ waitingSince }) => waitingSince <= since)
        .map(({ underWay }) => underWay);
      if (counts.length < 2) return null;
      return Math.max(...counts) - Math.min(...counts);
    },
  };
}

function firstOf(owner: Owner): Job {
  return owner.waiting[owner.head] as Job;
}
