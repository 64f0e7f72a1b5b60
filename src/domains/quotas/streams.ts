import { randomUUID } from 'node:crypto';
import type { Database } from '../../database/connect.ts';
import { QuotaExceededError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { countStreams, holdStreams, lockStreams, removeStream } from './store.ts';

/** How long the streams of an instance that died still count, as any other work of it: 15 s. */
const leaseMs = 15_000;
const renewalMs = 5_000;

/** A place may come free at any moment, and nobody knows when. */
const retryAfterSeconds = 10;

type Options = { db: Database; now: () => Date; log: Log; limit: number | null };

/** The subscriptions of each owner that are open, counted over all instances: a lease in the database for each. */
export function createStreamCounter({ db, now, log, limit }: Options) {
  const held = new Map<string, string>();
  const ending = new Set<Promise<void>>();
  let renewal = Promise.resolve();

  const leaseOf = (id: string, owner: string) => ({
    id,
    owner,
    until: new Date(now().getTime() + leaseMs),
  });

  async function renew(): Promise<void> {
    if (held.size === 0) return;
    try {
      await holdStreams(
        db,
        [...held].map(([id, owner]) => leaseOf(id, owner)),
      );
    } catch (error) {
      log.warn({ err: error }, 'the open streams could not be counted');
    }
  }

  async function end(id: string): Promise<void> {
    // A renewal on its way would bring the lease back.
    await renewal;
    await removeStream(db, id).catch((error: unknown) => {
      log.warn({ err: error }, 'a stream that ended counts until its lease is over');
    });
  }

  const timer = setInterval(() => {
    renewal = renewal.then(renew);
  }, renewalMs).unref();

  async function begin(owner: string, most: number): Promise<() => void> {
    const id = randomUUID();
    await db.transaction(async (tx) => {
      await lockStreams(tx, owner);
      if ((await countStreams(tx, owner, now())) >= most) {
        throw new QuotaExceededError(`${most} open subscriptions`, retryAfterSeconds);
      }
      await holdStreams(tx, [leaseOf(id, owner)]);
    });
    held.set(id, owner);
    return () => {
      if (!held.delete(id)) return;
      const ended = end(id).finally(() => ending.delete(ended));
      ending.add(ended);
    };
  }

  return {
    /**
     * The same source, which counts until it ends, is left, or the caller's connection is gone: a source that nobody
     * has begun to read is never left.
     *
     * @throws QuotaExceededError
     */
    async hold<T>(
      owner: string,
      source: AsyncIterableIterator<T>,
      signal: AbortSignal,
    ): Promise<AsyncIterableIterator<T>> {
      if (limit === null) return source;
      const stop = await begin(owner, limit);
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      return endingWith(source, () => {
        signal.removeEventListener('abort', stop);
        stop();
      });
    },
    count: async (owner: string) => (limit === null ? 0 : countStreams(db, owner, now())),
    async stop(): Promise<void> {
      clearInterval(timer);
      await Promise.all(ending);
    },
  };
}

/** Not a generator, which would be left only at its next event. */
function endingWith<T>(
  source: AsyncIterableIterator<T>,
  onEnd: () => void,
): AsyncIterableIterator<T> {
  return {
    async next() {
      try {
        const result = await source.next();
        if (result.done === true) onEnd();
        return result;
      } catch (error) {
        onEnd();
        throw error;
      }
    },
    async return() {
      onEnd();
      return (await source.return?.()) ?? { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
