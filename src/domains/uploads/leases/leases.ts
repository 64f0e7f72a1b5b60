import type { UploadDependencies } from '../dependencies.ts';
import { interruptedFailure } from '../rejection.ts';
import { failReceiving, renewReceiving } from './store.ts';

/** How often a process renews the rows of the files that it receives, and searches for those of processes that have ended. */
const defaultRenewalMs = 3_000;

/** A row that was not renewed for this long belongs to a process that has ended: it is failed within 15 seconds. */
const leaseMs = 11_000;

/** After an outage of the database no row is failed before this many checks, in which the other processes renew theirs. */
const checksBeforeFailing = 3;

/** `receiving`: the ids of the uploads that this process receives. `onEnd` is called with the id of each upload that was failed. */
type Options = {
  receiving: ReadonlySet<string>;
  stopping: AbortSignal;
  onEnd: (uploadId: string) => void;
};

/**
 * Renews the uploads that this process receives, and fails those whose process has ended, so that lip-syncs that wait for
 * such a file end too. The client of such an upload has lost its connection, and can only begin again. Imports are repeated
 * by their jobs.
 */
export async function startLeases(deps: UploadDependencies, options: Options): Promise<void> {
  const { stopping } = options;
  // No other process can use the embedded database: all leases from before the start are void, and no later one is.
  if (deps.db.kind === 'embedded') {
    await failAbandoned(deps, options, deps.now());
    if (deps.leaseRenewalMs === undefined) return;
  }
  let isChecking = false;
  let succeeded = 0;
  const check = async () => {
    if (isChecking) return;
    isChecking = true;
    try {
      const now = deps.now();
      await renewReceiving(deps.db, [...options.receiving], now);
      succeeded += 1;
      if (succeeded < checksBeforeFailing) return;
      await failAbandoned(deps, options, new Date(now.getTime() - leaseMs));
    } catch (error) {
      succeeded = 0;
      if (!stopping.aborted) deps.log.warn({ err: error }, 'could not renew arriving uploads');
    } finally {
      isChecking = false;
    }
  };
  const timer = setInterval(() => void check(), deps.leaseRenewalMs ?? defaultRenewalMs).unref();
  stopping.addEventListener('abort', () => clearInterval(timer));
}

async function failAbandoned(
  { db }: UploadDependencies,
  { receiving, onEnd }: Options,
  quietSince: Date,
): Promise<void> {
  const abandoned = { quietSince, except: [...receiving] };
  for (const id of await failReceiving(db, abandoned, interruptedFailure)) onEnd(id);
}
