import { randomUUID } from 'node:crypto';
import type { Database } from '../../database/connect.ts';
import { QuotaExceededError } from '../../errors.ts';
import { type LiveEvents, nextOf } from '../../live-events.ts';
import type { Log } from '../../log.ts';
import { OwnerSlots } from '../../owner-slots.ts';
import { countStreams, deleteStreamLease, lockStreamsOf, upsertStreamLeases } from './store.ts';

/** The streams of an instance that died still count this long. Other work of a dead instance is taken over in the same time. */
const leaseMs = 15_000;
const renewalMs = 5_000;

/** An arbitrary wait: it is unknown when one of the open streams ends. */
const retryAfterSeconds = 10;

/** Streams of all owners that this process holds open. One owner gets at most half of them, also without a limit. */
const maxStreams = 20_000;

type Options = {
  db: Database;
  now: () => Date;
  log: Log;
  limit: number | null;
  /** Default: `maxStreams`. */
  max?: number | undefined;
};

/**
 * Limits each owner's open subscriptions: within this process always, and over all instances if `limit` is set. Then every
 * open stream has a lease in the database.
 */
export function createStreamCounter({ limit, max = maxStreams, ...parts }: Options) {
  const slots = new OwnerSlots({ all: max });
  const leases = createStreamLeases(parts);

  /** A slot of this process and, with a limit, a lease that counts over all instances. */
  async function acquire(owner: string): Promise<() => void> {
    const releaseSlot = slots.acquire(owner);
    if (releaseSlot === null) throw new QuotaExceededError('open subscriptions', retryAfterSeconds);
    if (limit === null) return releaseSlot;
    try {
      const releaseLease = await leases.acquire(owner, limit);
      return () => {
        releaseLease();
        releaseSlot();
      };
    } catch (thrown) {
      releaseSlot();
      throw thrown;
    }
  }

  return {
    /**
     * Counts the stream until it ends, is closed with `return`, or `signal` aborts. The signal is needed for a stream that
     * was never read: its `return` is not called when the client disconnects.
     *
     * @returns the source, wrapped @throws QuotaExceededError
     */
    async hold<T extends object>(
      owner: string,
      source: LiveEvents<T>,
      signal: AbortSignal,
    ): Promise<LiveEvents<T>> {
      const stop = await acquire(owner);
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      return notifyOnEnd(source, () => {
        signal.removeEventListener('abort', stop);
        stop();
      });
    },
    count: async (owner: string) =>
      limit === null ? 0 : countStreams(parts.db, owner, parts.now()),
    stop: leases.stop,
  };
}

type LeaseOptions = Pick<Options, 'db' | 'now' | 'log'>;

/** Leases in the database, which this process renews until they are released. */
function createStreamLeases({ db, now, log }: LeaseOptions) {
  const ownersById = new Map<string, string>();
  const releases = new Set<Promise<void>>();
  let renewal = Promise.resolve();

  const leaseOf = (id: string, owner: string) => ({
    id,
    owner,
    until: new Date(now().getTime() + leaseMs),
  });

  async function renew(): Promise<void> {
    const leases = [...ownersById].map(([id, owner]) => leaseOf(id, owner));
    if (leases.length === 0) return;
    await upsertStreamLeases(db, leases).catch((error: unknown) => {
      log.warn({ err: error }, 'cannot renew the leases of open streams');
    });
  }

  async function release(id: string): Promise<void> {
    // A renewal in progress would restore the lease.
    await renewal;
    await deleteStreamLease(db, id).catch((error: unknown) => {
      log.warn(
        { err: error },
        'cannot delete the lease of an ended stream: it counts until the lease expires',
      );
    });
  }

  const timer = setInterval(() => {
    renewal = renewal.then(renew);
  }, renewalMs).unref();

  async function acquire(owner: string, max: number): Promise<() => void> {
    const id = randomUUID();
    await db.transaction(async (tx) => {
      await lockStreamsOf(tx, owner);
      if ((await countStreams(tx, owner, now())) >= max) {
        throw new QuotaExceededError(`${max} open subscriptions`, retryAfterSeconds);
      }
      await upsertStreamLeases(tx, [leaseOf(id, owner)]);
    });
    ownersById.set(id, owner);
    return () => {
      if (!ownersById.delete(id)) return;
      const released = release(id).finally(() => releases.delete(released));
      releases.add(released);
    };
  }

  return {
    /** @returns releases the lease @throws QuotaExceededError */
    acquire,
    async stop(): Promise<void> {
      clearInterval(timer);
      await Promise.all(releases);
    },
  };
}

/** Calls `onEnd` when the source ends. */
function notifyOnEnd<T extends object>(source: LiveEvents<T>, onEnd: () => void): LiveEvents<T> {
  return {
    take() {
      try {
        const taken = source.take();
        if (taken === 'complete') onEnd();
        return taken;
      } catch (error) {
        onEnd();
        throw error;
      }
    },
    onReady: (listener) => source.onReady(listener),
    next() {
      return nextOf(this);
    },
    return() {
      onEnd();
      return source.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
