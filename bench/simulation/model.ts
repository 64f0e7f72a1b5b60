import {
  expectedMs,
  isPercentWorthLogging,
  isPositionWorthLogging,
  runningPercent,
} from '../../src/domains/lipsyncs/progress/estimate.ts';
import { pollDelayMs } from '../../src/domains/lipsyncs/reconcile/poll-interval.ts';
import { createQueue, type Job, type Queue } from './queue.ts';
import { createRandom, createZipf, type Random } from './random.ts';

export type Settings = {
  seed: number;
  order: 'fair' | 'first come';
  accounts: number;
  slotsPerAccount: number;
  owners: number;
  lipsyncsPerDay: number;
  /** So many more owners each create so many at once, at 9 in the morning. */
  bursts: { owners: number; lipsyncs: number };
  medianSeconds: number;
  pollMs: number;
  lostCallbacks: number;
};

export type Outcome = {
  completed: number;
  /** Seconds from creation to submission of the jobs of other owners that were created while the bursts waited. */
  waitsBesideBursts: number[];
  longestQueue: number;
  mostRunning: number;
  /** At each minute: the largest difference in running jobs between two owners that both had waited for ten minutes. */
  spreads: number[];
  polls: number;
  /** Polls of the account with the most, in relation to one in every interval of the day. */
  busiestAccountShare: number;
  callbackReads: number;
  events: number;
  mostEvents: number;
};

type Account = {
  running: Set<Job>;
  /** The factors of the intervals at which a poll is scheduled, as the keys of `ensurePoll`. */
  scheduledPolls: Set<number>;
  pollCount: number;
};

type Day = {
  settings: Settings;
  random: Random;
  queue: Queue;
  accounts: Account[];
  /** Tasks by the second in which they are due. */
  tasks: (() => void)[][];
  outcome: Outcome;
  now: number;
  running: number;
  waitingOfBursts: number;
};

const secondsPerDay = 86_400;
const burstsAt = 9 * 3_600;
const callbackDelayS = 2;

/** Owners that have waited this long without a pause have their share: several lengths of a job. */
const settledAfterS = 600;
const expected = expectedMs([], 120_000);

/**
 * One day, in steps of a second. Poll intervals and the rules of the event log are the product's functions, the order of
 * the queue repeats its query. The upstream is a distribution of durations; its callbacks come shortly after the end, or
 * never.
 */
export function simulateDay(settings: Settings): Outcome {
  const day = startDay(settings);
  const chooseOwner = createZipf(settings.owners);
  for (; day.now < secondsPerDay || day.running + day.queue.length > 0; day.now += 1) {
    for (const task of day.tasks[day.now] ?? []) task();
    delete day.tasks[day.now];
    const mean = (settings.lipsyncsPerDay / secondsPerDay) * loadAt(day.now);
    for (let count = day.random.poisson(mean); count > 0; count -= 1) {
      create(day, chooseOwner(day.random));
    }
    if (day.now === burstsAt) createBursts(day);
    dispatch(day);
    observe(day);
  }
  const intervals = (secondsPerDay * 1_000) / settings.pollMs;
  const mostPolls = Math.max(...day.accounts.map(({ pollCount }) => pollCount));
  return { ...day.outcome, busiestAccountShare: mostPolls / intervals };
}

function startDay(settings: Settings): Day {
  return {
    settings,
    random: createRandom(settings.seed),
    queue: createQueue(settings.order, settings.owners + settings.bursts.owners),
    accounts: Array.from({ length: settings.accounts }, () => ({
      running: new Set(),
      scheduledPolls: new Set(),
      pollCount: 0,
    })),
    tasks: [],
    outcome: {
      ...{ completed: 0, waitsBesideBursts: [], longestQueue: 0, mostRunning: 0, spreads: [] },
      ...{ polls: 0, busiestAccountShare: 0, callbackReads: 0, events: 0, mostEvents: 0 },
    },
    ...{ now: 0, running: 0, waitingOfBursts: 0 },
  };
}

/** Between 0.1 and 1.9 times the mean of the day, highest at three in the afternoon; nothing after its end. */
function loadAt(second: number): number {
  if (second >= secondsPerDay) return 0;
  return 1 + 0.9 * Math.sin((2 * Math.PI * (second - 9 * 3_600)) / secondsPerDay);
}

function create(day: Day, owner: number): void {
  const job: Job = {
    ...{ owner, createdAt: day.now, submittedAt: 0, firstPosition: 0 },
    isBesideBurst: !isOfBurst(day, owner) && day.waitingOfBursts > 0,
    durationS: day.random.logNormal(day.settings.medianSeconds, 0.4),
    ...{ percent: 0, percentAt: null, events: 1 },
  };
  job.firstPosition = day.queue.add(job, day.now);
  if (isOfBurst(day, owner)) day.waitingOfBursts += 1;
}

function createBursts(day: Day): void {
  const { owners, bursts } = day.settings;
  for (let owner = owners; owner < owners + bursts.owners; owner += 1) {
    for (let count = 0; count < bursts.lipsyncs; count += 1) create(day, owner);
  }
}

function isOfBurst({ settings }: Day, owner: number): boolean {
  return owner >= settings.owners;
}

function dispatch(day: Day): void {
  const { accounts, slotsPerAccount } = day.settings;
  while (day.running < accounts * slotsPerAccount) {
    const job = day.queue.take();
    if (job === null) return;
    submit(day, leastLoaded(day), job);
  }
}

function leastLoaded({ accounts, settings }: Day): Account {
  let best: Account | undefined;
  for (const account of accounts) {
    if (account.running.size < (best?.running.size ?? settings.slotsPerAccount)) best = account;
    if (best?.running.size === 0) break;
  }
  if (best === undefined) throw new Error('No account has a free slot.');
  return best;
}

function submit(day: Day, account: Account, job: Job): void {
  job.submittedAt = day.now;
  job.events += 2 + countPositionEvents(job.firstPosition);
  account.running.add(job);
  day.running += 1;
  if (isOfBurst(day, job.owner)) day.waitingOfBursts -= 1;
  if (job.isBesideBurst) day.outcome.waitsBesideBursts.push(day.now - job.createdAt);
  ensurePoll(day, account, 0);
  if (day.random.next() < day.settings.lostCallbacks) return;
  at(day, Math.ceil(job.durationS) + callbackDelayS, () => {
    if (!account.running.has(job)) return;
    day.outcome.callbackReads += 1;
    readList(day, account);
  });
}

/** How many positions are logged for a job that moves one place at a time to the head of its owner's queue. */
function countPositionEvents(first: number): number {
  let count = 0;
  let last = first;
  for (let position = first - 1; position >= 1; ) {
    if (isPositionWorthLogging(last, position)) {
      count += 1;
      last = position;
      position -= 1;
    } else {
      // The next that can be worth it, so that a queue of thousands is not counted one by one.
      position = Math.min(position - 1, Math.max(3, last >> 1));
    }
  }
  return count;
}

function ensurePoll(day: Day, account: Account, youngestAgeMs: number): void {
  const { pollMs } = day.settings;
  const factor = factorOf(pollMs, youngestAgeMs);
  if (account.scheduledPolls.has(factor)) return;
  account.scheduledPolls.add(factor);
  const delayMs = pollDelayMs(pollMs, youngestAgeMs, day.random.next());
  at(day, Math.max(1, Math.round(delayMs / 1_000)), () => {
    account.scheduledPolls.delete(factor);
    if (account.running.size === 0) return;
    const youngest = Math.max(...[...account.running].map(({ submittedAt }) => submittedAt));
    ensurePoll(day, account, (day.now - youngest) * 1_000);
    account.pollCount += 1;
    day.outcome.polls += 1;
    readList(day, account);
  });
}

/** `pollDelayMs` without jitter and lateness, as a factor of the interval. */
function factorOf(pollMs: number, youngestAgeMs: number): number {
  return Math.round(pollDelayMs(pollMs, youngestAgeMs, 1) / pollDelayMs(pollMs, 0, 1));
}

/** What a read of the account's list shows: the ends of its jobs, and a percentage for those that still run. */
function readList(day: Day, account: Account): void {
  for (const job of account.running) {
    const elapsedS = day.now - job.submittedAt;
    if (elapsedS >= job.durationS) finish(day, account, job);
    else logPercent(day, job, runningPercent(elapsedS * 1_000, expected));
  }
}

function logPercent(day: Day, job: Job, percent: number): void {
  const last = {
    percent: job.percent,
    at: job.percentAt === null ? null : new Date(job.percentAt * 1_000),
  };
  if (!isPercentWorthLogging(last, percent, new Date(day.now * 1_000))) return;
  job.percent = percent;
  job.percentAt = day.now;
  job.events += 1;
}

function finish(day: Day, account: Account, job: Job): void {
  account.running.delete(job);
  day.queue.release(job.owner);
  day.running -= 1;
  job.events += 1;
  day.outcome.completed += 1;
  day.outcome.events += job.events;
  day.outcome.mostEvents = Math.max(day.outcome.mostEvents, job.events);
}

function observe(day: Day): void {
  const { outcome, queue, now } = day;
  outcome.longestQueue = Math.max(outcome.longestQueue, queue.length);
  outcome.mostRunning = Math.max(outcome.mostRunning, day.running);
  if (now % 60 !== 0) return;
  const spread = queue.spreadOfRunning(now - settledAfterS);
  if (spread !== null) outcome.spreads.push(spread);
}

function at(day: Day, inSeconds: number, task: () => void): void {
  const second = day.now + inSeconds;
  day.tasks[second] ??= [];
  day.tasks[second].push(task);
}
