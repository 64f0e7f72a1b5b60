import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Upstream } from '../../upstream/client.ts';
import { SingleFlight } from '../../upstream/single-flight.ts';
import { getFeatures } from './endpoints.ts';
import { type Account, pauseSpent } from './store.ts';

/** Credits come and go by hand or by day: what was read a minute ago is as good. */
const freshMs = 60_000;

/** Whoever creates a lip-sync waits no longer than this for a word that may never come. What is not known is allowed. */
const patienceMs = 2_000;

/**
 * Looks what the open accounts have to spend, before something is sent there to be refused with 412. One that is known
 * to have nothing is paused, until a probe finds that it has.
 */
export function createCreditGuard(parts: {
  db: Database;
  upstream: Upstream;
  now: () => Date;
  log: Log;
}) {
  const { db, upstream, now, log } = parts;
  const flights = new SingleFlight<void>();
  const readAtMs = new Map<string, number>();

  async function look({ id, email }: Account): Promise<void> {
    const nowMs = now().getTime();
    if (nowMs - (readAtMs.get(id) ?? Number.NEGATIVE_INFINITY) < freshMs) return;
    readAtMs.set(id, nowMs);
    try {
      const { isSpent } = await getFeatures(upstream, email);
      if (!isSpent) return;
      await pauseSpent(db, id, now());
      log.info({ accountId: id }, 'an account has no credits left: nothing is sent to it');
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      log.debug({ accountId: id, code: thrown.code }, 'the credits of an account are not known');
    }
  }

  return async (accounts: readonly Account[]): Promise<void> => {
    const open = accounts.filter(({ pausedBy }) => pausedBy === null);
    // Also where it was read lately: whoever comes while it is being read waits for the same word.
    const looks = open.map((account) => flights.join(account.id, () => look(account)));
    const enough = new AbortController();
    const { signal } = enough;
    const patience = wait(patienceMs, undefined, { ref: false, signal }).catch(() => undefined);
    await Promise.race([Promise.all(looks), patience]);
    enough.abort();
  };
}
