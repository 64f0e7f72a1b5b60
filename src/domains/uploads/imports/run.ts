import { createHash } from 'node:crypto';
import pRetry from 'p-retry';
import { type Failure, storeFailure } from '../../../errors.ts';
import type { UploadDependencies } from '../dependencies.ts';
import { createToucher } from '../receive.ts';
import { interruptedFailure, UploadRejection } from '../rejection.ts';
import { traceUpload } from '../spans.ts';
import {
  failUpload,
  findUpload,
  finishUpload,
  type TransferredFile,
  type Upload,
} from '../store.ts';
import { type TransferDependencies, transferFile } from '../transfer.ts';
import { openUrl, TransientRejection } from './open-url.ts';

/** Imports of this process at a time, and of one owner on all instances. Each holds two connections and about 100 KB. */
const concurrency = 8;
const concurrencyPerOwner = 4;

/** Tries after the first. The video service takes a file in one unbroken request, so each begins with the first byte. */
const retries = 3;
const defaultRetryMs = 500;
const maxRetryMs = 10_000;

/** The waits before an import searches again for a free slot to decode its file. */
const minBusyWaitMs = 1_000;
const maxBusyWaitMs = 30_000;

/** The interval at which the number of received bytes is written to the row. */
const touchIntervalMs = 1_000;

/** An import that restarts or crashes have interrupted this often fails, because the import may be their cause. */
const maxRestarts = 5;

/** NOTIFY starts a job at once. This is how late a repeated one can be, and how often each of the workers searches. */
const pollingIntervalSeconds = 2;

/** The longest expiry that pg-boss accepts: 24 hours. */
const maxExpirySeconds = 86_400;

const queue = 'imports';
const endedQueue = 'imports-ended';

type ImportJob = {
  uploadId: string;
  /** When the import first found no free slot to decode its file, in ms since 1970. Absent before that. */
  busySinceMs?: number;
};

/** Called when an upload is READY or FAILED. */
type OnEnd = (uploadId: string) => void;

/** Begins to fetch the files of imports, also those that another instance left. `stopping`: this process stops. */
export async function startImports(
  deps: TransferDependencies,
  { stopping, onEnd }: { stopping: AbortSignal; onEnd: OnEnd },
): Promise<void> {
  const { jobs, imports } = deps;
  await jobs.define(endedQueue);
  await jobs.define(queue, {
    deadLetter: endedQueue,
    retryLimit: maxRestarts,
    retryDelay: 1,
    expireInSeconds: Math.min(Math.ceil(imports.timeoutMs / 1_000) + 60, maxExpirySeconds),
  });
  await jobs.work<ImportJob>(
    endedQueue,
    async ({ data }) => {
      await failUpload(deps.db, data.uploadId, interruptedFailure);
      deps.meter?.count('imports_total', { result: 'failed' });
      onEnd(data.uploadId);
    },
    { pollingIntervalSeconds },
  );
  await jobs.work<ImportJob>(
    queue,
    async ({ data }) => {
      if (await runImport(deps, data, stopping)) onEnd(data.uploadId);
    },
    {
      localConcurrency: concurrency,
      groupConcurrency: concurrencyPerOwner,
      pollingIntervalSeconds,
    },
  );
}

/** Jobs outlive the erasure of their owner, so they contain a hash and not the owner's name. */
function groupOf(owner: string): { id: string } {
  return { id: createHash('sha256').update(owner).digest('base64url').slice(0, 22) };
}

/** Queues the fetching of these imports, in the transaction that inserts them. */
export async function sendImports(
  { jobs }: Pick<UploadDependencies, 'jobs'>,
  tx: Parameters<UploadDependencies['jobs']['send']>[2],
  uploads: readonly Pick<Upload, 'id' | 'owner'>[],
): Promise<void> {
  for (const { id: uploadId, owner } of uploads) {
    await jobs.send(queue, { uploadId } satisfies ImportJob, { ...tx, group: groupOf(owner) });
  }
}

/**
 * @returns false if the import was queued again
 * @throws if the process stops, or for an unexpected error: then the job is repeated
 */
async function runImport(
  deps: TransferDependencies,
  job: ImportJob,
  stopping: AbortSignal,
): Promise<boolean> {
  const { uploadId } = job;
  const upload = await findUpload(deps.db, uploadId);
  // Erased, or ended by an instance that died before it could complete the job.
  if (upload === null || upload.state !== 'RECEIVING' || upload.sourceUrl === null) return true;
  const deadline = AbortSignal.timeout(deps.imports.timeoutMs);
  const signal = AbortSignal.any([deadline, stopping]);
  const source = { ...upload, url: upload.sourceUrl };
  try {
    checkFreeSlot(deps, job, upload.owner);
    const file = await traceUpload(deps, { upload, name: 'upload import', kind: 'consumer' }, () =>
      fetchFile(deps, source, signal),
    );
    await finishUpload(deps.db, uploadId, file);
    deps.meter?.count('imports_total', { result: 'ready' });
  } catch (thrown) {
    if (stopping.aborted) throw new Error('This process stops. The import starts again.');
    const rejection = deadline.aborted ? UploadRejection.tooSlow(deps.imports.timeoutMs) : thrown;
    if (!(rejection instanceof UploadRejection)) throw thrown;
    if (rejection.reason === 'BUSY' && (await requeueBusy(deps, job, upload.owner))) return false;
    await failUpload(deps.db, uploadId, storeFailure(rejection.failure));
    deps.meter?.count('imports_total', { result: 'failed' });
  }
  return true;
}

/** Saves a request for a file that must be decoded and could not be. @throws {UploadRejection} */
function checkFreeSlot(
  { decoding }: TransferDependencies,
  { busySinceMs }: ImportJob,
  owner: string,
): void {
  if (busySinceMs === undefined) return;
  const release = decoding.slots.acquire(owner);
  if (release === null) throw UploadRejection.tooManyDecodings();
  release();
}

/**
 * A client sends the file again when no slot to decode it is free. An import has no client, so its job is queued again, and its
 * worker runs other imports meanwhile. Each wait is as long as all before it. The new job counts restarts from zero. If this
 * process ends before the old job is completed, both run: the file is sent twice at worst.
 *
 * The limit of time is counted from the first try: an import that was queued for long has had no try before.
 *
 * @returns false if the import has waited for as long as a file may take to arrive
 */
async function requeueBusy(
  { imports, jobs, now }: TransferDependencies,
  { uploadId, busySinceMs = now().getTime() }: ImportJob,
  owner: string,
): Promise<boolean> {
  const waitedMs = now().getTime() - busySinceMs;
  const leftMs = imports.timeoutMs - waitedMs;
  if (leftMs <= 0) return false;
  const wantedMs = Math.min(Math.max(waitedMs, minBusyWaitMs), maxBusyWaitMs);
  const waitMs = Math.min(wantedMs * (0.5 + Math.random() / 2), leftMs);
  const job: ImportJob = { uploadId, busySinceMs };
  await jobs.send(queue, job, { startAfter: waitMs / 1_000, group: groupOf(owner) });
  return true;
}

type Import = Upload & { url: string };

/** @throws {UploadRejection} */
function fetchFile(
  deps: TransferDependencies,
  upload: Import,
  signal: AbortSignal,
): Promise<TransferredFile> {
  return pRetry(() => fetchOnce(deps, upload, signal), {
    retries,
    minTimeout: deps.imports.retryMs ?? defaultRetryMs,
    maxTimeout: maxRetryMs,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => isTransient(error),
  });
}

async function fetchOnce(
  deps: TransferDependencies,
  upload: Import,
  signal: AbortSignal,
): Promise<TransferredFile> {
  signal.throwIfAborted();
  const { maxBytes, idleMs } = deps.imports;
  const file = await openUrl({ outbound: deps.outbound, maxBytes, idleMs }, upload.url, signal);
  try {
    const expected = { ...upload, size: file.size, contentType: file.contentType };
    const onPiece = createToucher(deps, expected, touchIntervalMs);
    const body = file.body.iterator({ destroyOnReturn: false });
    return await transferFile(deps, expected, { body, signal, onPiece, maxBytes });
  } finally {
    await file.close();
  }
}

/** Other failures are of the file or its URL, and would repeat. */
function isTransient(error: unknown): boolean {
  if (error instanceof TransientRejection) return true;
  if (!(error instanceof UploadRejection)) return false;
  if (error.reason === 'UPSTREAM') return isTransientUpstream(error.failure);
  return error.reason === 'CLIENT_LEFT' || error.reason === 'STALLED';
}

/** A file costs nothing, so that it can be sent twice. */
function isTransientUpstream({ code }: Failure): boolean {
  return code === 'UPSTREAM_UNAVAILABLE' || code === 'RATE_LIMITED';
}
