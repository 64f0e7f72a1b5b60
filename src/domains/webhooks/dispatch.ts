import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { lineShare } from '../../log.ts';
import { OwnerSlots } from '../../owner-slots.ts';
import { attemptDelivery } from './attempt.ts';
import type { WebhookDependencies } from './dependencies.ts';
import { type ClaimedDelivery, claimDeliveries, findDue, type ReceiverRank } from './due-store.ts';
import { deleteReceiversBefore } from './receiver-store.ts';
import { runOneAtATime } from './run-one-at-a-time.ts';
import { webhookChannel } from './store.ts';

/** How late a due retry is noticed. A notification announces an attempt that is due at once. */
const pollMs = 500;

/**
 * Every notification and every finished attempt starts a search, but not sooner than this after a search that found
 * nothing.
 */
const restMs = 50;

/**
 * The cost of a search grows with the owners that have due deliveries: with hundreds of them it takes tens of
 * milliseconds of the embedded database, and of the event loop. A slow one is followed by a pause, so that searches
 * take a fifth of the time at most.
 */
const slowSearchMs = 10;
const pausePerSearch = 4;

/** Added to the time limit of the attempt, for the database writes before and after it. */
const leaseMarginMs = 2_000;

/**
 * Concurrent attempts of one process, by what is known of their receivers. An attempt is little more than a socket, so
 * there are many: only hanging receivers of about fifty owners together can use up the attempts for new receivers, and only
 * for ten seconds, after which they count as failing. Receivers that answer have 64 attempts that no other receiver can
 * take. Only a receiver that answers gets more than one attempt of an owner at a time.
 */
const concurrency = { all: 256, unproven: 192, failing: 64, perOwner: 4 };

/** With more failing receivers, a new receiver of the owner counts as failing. */
const maxFailingReceivers = 2;

/** Owners that are considered at a time, far more than can get a slot. */
const maxCandidates = 256;

/** While the database is unavailable every poll fails: log that at most this often. */
const outageLogIntervalMs = 10_000;

/** What is known of a receiver is forgotten after a day without an attempt. */
const receiverMaxAgeMs = 86_400_000;
const cleanUpIntervalMs = 3_600_000;

/** How long `stop` waits for attempts in progress. Most receivers answer within a second. */
const stopGraceMs = 1_000;

export type WebhookDispatcher = {
  start(): Promise<void>;
  /** Waits a moment for attempts in progress, then aborts them: they are repeated after the next start. */
  stop(): Promise<void>;
};

/**
 * Sends the due webhooks of all owners in turn. Any number of processes may do that: a claim on the row decides.
 *
 * @param abort aborts the attempts in progress
 */
export function createDispatcher(deps: WebhookDependencies, abort: () => void): WebhookDispatcher {
  const running = new Set<Promise<void>>();
  const timers: NodeJS.Timeout[] = [];
  const stopping = new AbortController();
  let unlisten: (() => Promise<void>) | null = null;
  const logOutage = createOutageLog(deps, stopping.signal);
  const starter = createStarter(deps, {
    onAttempt: track,
    stopping: stopping.signal,
  });
  const search = () => starter().catch(logOutage);
  const { signal } = stopping;
  const rest = () => wait(restMs, undefined, { signal }).catch(() => undefined);
  const wake = runOneAtATime(search, { rest, stopping: signal });

  function track(attempt: Promise<void>): void {
    running.add(attempt);
    void attempt.finally(() => {
      running.delete(attempt);
      void wake();
    });
  }

  function cleanUp(): void {
    const moment = new Date(deps.now().getTime() - receiverMaxAgeMs);
    deleteReceiversBefore(deps.db, moment).catch(logOutage);
  }

  return {
    async start() {
      unlisten = await deps.db.listen(webhookChannel, { onMessage: wake, onReconnected: wake });
      timers.push(setInterval(wake, pollMs), setInterval(cleanUp, cleanUpIntervalMs));
      void wake();
    },
    async stop() {
      stopping.abort();
      for (const timer of timers) clearInterval(timer);
      await unlisten?.();
      await wake();
      const ended = Promise.allSettled(running);
      await Promise.race([ended, wait(stopGraceMs, undefined, { ref: false })]);
      abort();
      await Promise.allSettled(running);
    },
  };
}

type StarterOptions = { onAttempt: (attempt: Promise<void>) => void; stopping: AbortSignal };

/** Starts the due attempts: one for each owner, and again, until no owner with a due delivery gets another slot. */
function createStarter(deps: WebhookDependencies, { onAttempt, stopping }: StarterOptions) {
  const slots = new AttemptSlots();
  const pause = (ms: number) =>
    wait(ms, undefined, { signal: stopping, ref: false }).catch(() => undefined);

  return async (): Promise<void> => {
    let isDone = false;
    while (!isDone && !stopping.aborted) {
      const at = deps.now();
      const startedAtMs = performance.now();
      const releases = await acquireSlots(at);
      const searchMs = performance.now() - startedAtMs;
      isDone = releases.size === 0;
      if (!isDone) await claimAndStart(at, releases);
      if (searchMs >= slowSearchMs) await pause(Math.min(searchMs * pausePerSearch, pollMs));
    }
  };

  /** @returns what releases the slot of each delivery that can be sent now, by the delivery's id */
  async function acquireSlots(at: Date): Promise<Map<string, () => void>> {
    const startHash = randomBytes(16).toString('hex');
    const search = { at, limit: maxCandidates, maxFailingReceivers, startHash };
    const due = await findDue(deps.db, search);
    const releases = new Map<string, () => void>();
    for (const { id, owner, rank } of due) {
      const release = slots.acquire(owner, rank);
      if (release !== null) releases.set(id, release);
    }
    return releases;
  }

  async function claimAndStart(at: Date, releases: Map<string, () => void>): Promise<void> {
    const until = new Date(at.getTime() + deps.sender.timeoutMs + leaseMarginMs);
    try {
      for (const delivery of await claimDeliveries(deps.db, [...releases.keys()], { at, until })) {
        onAttempt(attempt(delivery).finally(releases.get(delivery.id)));
        releases.delete(delivery.id);
      }
    } finally {
      // Another process has claimed these, or the claim failed.
      for (const release of releases.values()) release();
    }
  }

  async function attempt(delivery: ClaimedDelivery): Promise<void> {
    try {
      await attemptDelivery(deps, delivery);
    } catch (error) {
      // The attempt is repeated when the claim expires.
      const fields = { err: error, deliveryId: delivery.id, [lineShare]: delivery.owner };
      deps.log.warn(fields, 'a webhook attempt was not stored');
    }
  }
}

function createOutageLog({ log }: WebhookDependencies, stopping: AbortSignal) {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  return (error: unknown): void => {
    if (stopping.aborted || performance.now() - loggedAtMs < outageLogIntervalMs) return;
    loggedAtMs = performance.now();
    log.error({ err: error }, 'webhooks cannot be sent now');
  };
}

/** An attempt needs a slot of each group that it belongs to. */
class AttemptSlots {
  readonly #groups = [concurrency.all, concurrency.unproven, concurrency.failing].map(
    (all) => new OwnerSlots({ all, perOwner: concurrency.perOwner }),
  );

  acquire(owner: string, rank: ReceiverRank): (() => void) | null {
    const releases = this.#groups.slice(0, rank + 1).map((group) => group.acquire(owner));
    const releaseAll = () => {
      for (const release of releases) release?.();
    };
    if (!releases.includes(null)) return releaseAll;
    releaseAll();
    return null;
  }
}
