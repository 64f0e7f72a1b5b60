import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Upstream } from '../../upstream/client.ts';
import { CoalescedReads } from '../../upstream/coalesced-reads.ts';
import { beginReading, endReading } from './credit-store.ts';
import { getFeatures } from './endpoints.ts';
import { pauseSpent } from './pause-store.ts';
import type { Account } from './store.ts';

/** Credits change by hand or once a day, so a minute-old value is accurate enough. */
const freshMs = 60_000;

/** A create waits no longer than this for a response that may never come. Accounts with unknown credits are used. */
const defaultWaitMs = 2_000;

/**
 * Reads the credits of the open accounts before a lip-sync is sent, which saves a POST that the upstream would reject with
 * 412. The credits are stored, so that only lip-syncs that they can pay for are sent. An account without credits is paused
 * until a probe finds some.
 */
export function createCreditGuard(options: {
  db: Database;
  upstream: Upstream;
  now: () => Date;
  log: Log;
  /** Default: `defaultWaitMs`. */
  creditWaitMs?: number | undefined;
}) {
  const { db, upstream, now, log, creditWaitMs = defaultWaitMs } = options;
  const reads = new CoalescedReads<void>();
  const readAtMs = new Map<string, number>();
  const reading = new Set<string>();

  const isFresh = (id: string) =>
    now().getTime() - (readAtMs.get(id) ?? Number.NEGATIVE_INFINITY) < freshMs;

  async function checkCredits({ id, email }: Account): Promise<void> {
    const beganAt = now();
    readAtMs.set(id, beganAt.getTime());
    reading.add(id);
    const readingId = randomUUID();
    try {
      await beginReading(db, id, readingId);
      const { credits: sum, isComplete } = await getFeatures(upstream, email);
      const credits = isComplete ? sum : null;
      await endReading(db, id, { id: readingId, credits, beganAt });
      if (credits === null || credits > 0) return;
      await pauseSpent(db, id, now());
      log.info({ accountId: id }, 'account paused: no credits left');
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      log.debug({ accountId: id, code: thrown.code }, 'could not read the credits of an account');
    } finally {
      reading.delete(id);
    }
  }

  async function check(accounts: readonly Account[]): Promise<void> {
    // A caller that comes while a read is in progress waits for its result.
    const unknown = accounts.filter(
      ({ id, pausedBy }) => pausedBy === null && (reading.has(id) || !isFresh(id)),
    );
    if (unknown.length === 0) return;
    const checks = unknown.map((account) => reads.read(account.id, () => checkCredits(account)));
    const done = new AbortController();
    const { signal } = done;
    const timeout = wait(creditWaitMs, undefined, { ref: false, signal }).catch(() => undefined);
    await Promise.race([Promise.all(checks), timeout]);
    done.abort();
  }

  return {
    check,
    /** The next check reads the account again: its credits have changed. */
    forget: (id: string) => void readAtMs.delete(id),
  };
}
