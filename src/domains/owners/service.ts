import { randomUUID } from 'node:crypto';
import type { Database, Sql } from '../../database/connect.ts';
import type { Jobs } from '../../database/jobs.ts';
import { isUuid } from '../../database/uuid.ts';
import { InvalidInputError } from '../../errors.ts';
import {
  addErased,
  type ErasedCounts,
  findErasure,
  findUnfinished,
  finishErasure,
  insertErasure,
  type OwnerErasure,
} from './store.ts';

export type { ErasedKind, OwnerErasure } from './store.ts';

const eraseQueue = 'erase-owner';

/** NOTIFY starts a job at once. This is how late a repeated one can be: searching twice a second costs more than it gains. */
const pollingIntervalSeconds = 5;

/** Rows of one transaction, which takes some ten milliseconds. */
const rowsOfBatch = 100;

const maxOwnerLength = 2_048;

/** Erases at most `limit` rows of the owner. An empty report: there are none left. */
export type EraseStep = (tx: Sql, owner: string, limit: number) => Promise<ErasedCounts>;

export type OwnerServiceOptions = {
  db: Database;
  jobs: Jobs;
  now: () => Date;
  /** Ends what the owner has under way, so that it can be erased. */
  cancelAllOf: (owner: string) => Promise<void>;
  steps: readonly EraseStep[];
};

export type OwnerService = ReturnType<typeof createOwnerService>;

/**
 * Erases all data of an owner, in the background. Each batch is one transaction with its part of the report,
 * so an erasure that a crash interrupted continues where it stopped, and its report is exact.
 */
export function createOwnerService(options: OwnerServiceOptions) {
  const { db, jobs, now } = options;
  const stopping = new AbortController();

  return {
    /** Returns the running erasure if there is one. @throws InvalidInputError */
    async erase(owner: string): Promise<OwnerErasure> {
      checkOwner(owner);
      return db.transaction(async (tx) => {
        const id = randomUUID();
        const erasure = await insertErasure(tx, { id, owner, requestedAt: now() });
        if (erasure.id === id) await jobs.send(eraseQueue, { id }, { tx });
        return erasure;
      });
    },
    find: (id: string): Promise<OwnerErasure | null> =>
      isUuid(id) ? findErasure(db, id) : Promise.resolve(null),
    async start(): Promise<void> {
      await jobs.define(eraseQueue, { retryLimit: 1_000, retryDelay: 5, expireInSeconds: 21_600 });
      await jobs.work<{ id: string }>(
        eraseQueue,
        ({ data }) => eraseAll(options, data.id, stopping.signal),
        { pollingIntervalSeconds },
      );
      // A restored database has no background jobs. A second job for an erasure finds nothing left to do.
      for (const id of await findUnfinished(db)) await jobs.send(eraseQueue, { id });
    },
    stop: () => stopping.abort(),
  };
}

function checkOwner(owner: string): void {
  const isStorable = owner.isWellFormed() && !/\p{Cc}/u.test(owner);
  if (isStorable && owner !== '' && owner.length <= maxOwnerLength) return;
  const message = 'owner must be the name of an owner, such as key:web or jwt:<iss>:<sub>.';
  throw new InvalidInputError([{ path: ['input', 'owner'], message, code: 'INVALID' }]);
}

async function eraseAll(
  options: OwnerServiceOptions,
  id: string,
  stopping: AbortSignal,
): Promise<void> {
  const { db, now, cancelAllOf } = options;
  const owner = (await findErasure(db, id))?.owner ?? null;
  if (owner === null) return;
  let erased = 0;
  do {
    // Again after each pass: the owner may continue to create.
    await cancelAllOf(owner);
    erased = 0;
    for (const step of options.steps) erased += await runStep(db, { id, owner, step }, stopping);
  } while (erased > 0);
  await finishErasure(db, id, now());
}

/** @returns how many rows it erased */
async function runStep(
  db: Database,
  { id, owner, step }: { id: string; owner: string; step: EraseStep },
  stopping: AbortSignal,
): Promise<number> {
  let sum = 0;
  for (let count = 1; count > 0; sum += count) {
    // The job is retried, by this process after its restart or by another instance at once.
    stopping.throwIfAborted();
    count = await db.transaction(async (tx) => {
      const counts = await step(tx, owner, rowsOfBatch);
      const rows = Object.values(counts).reduce((all, each) => all + each, 0);
      if (rows > 0) await addErased(tx, id, counts);
      return rows;
    });
  }
  return sum;
}
