import { setTimeout as delay } from 'node:timers/promises';
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

/** The interval at which the number of received bytes is written to the row. */
const touchIntervalMs = 1_000;

/** An import that restarts or crashes have interrupted this often fails, because the import may be their cause. */
const maxRestarts = 5;

/** NOTIFY starts a job at once. This is how late a repeated one can be, and how often each of the workers searches. */
const pollingIntervalSeconds = 2;

const queue = 'imports';
const endedQueue = 'imports-ended';

type ImportJob = { uploadId: string };

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
    expireInSeconds: Math.ceil(imports.timeoutMs / 1_000) + 60,
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
      await runImport(deps, data.uploadId, stopping);
      onEnd(data.uploadId);
    },
    {
      localConcurrency: concurrency,
      groupConcurrency: concurrencyPerOwner,
      pollingIntervalSeconds,
    },
  );
}

/** Queues the fetching of these imports, in the transaction that inserts them. */
export async function sendImports(
  { jobs }: Pick<UploadDependencies, 'jobs'>,
  tx: Parameters<UploadDependencies['jobs']['send']>[2],
  uploads: readonly Pick<Upload, 'id' | 'owner'>[],
): Promise<void> {
  for (const { id: uploadId, owner } of uploads) {
    await jobs.send(queue, { uploadId } satisfies ImportJob, { ...tx, group: { id: owner } });
  }
}

/** @throws if the process stops, or for an unexpected error: then the job is repeated */
async function runImport(
  deps: TransferDependencies,
  uploadId: string,
  stopping: AbortSignal,
): Promise<void> {
  const upload = await findUpload(deps.db, uploadId);
  // Erased, or ended by an instance that died before it could complete the job.
  if (upload === null || upload.state !== 'RECEIVING' || upload.sourceUrl === null) return;
  const deadline = AbortSignal.timeout(deps.imports.timeoutMs);
  const signal = AbortSignal.any([deadline, stopping]);
  const source = { ...upload, url: upload.sourceUrl };
  try {
    const file = await traceUpload(deps, { upload, name: 'upload import', kind: 'consumer' }, () =>
      fetchFile(deps, source, signal),
    );
    await finishUpload(deps.db, uploadId, file);
    deps.meter?.count('imports_total', { result: 'ready' });
  } catch (thrown) {
    if (stopping.aborted) throw new Error('This process stops. The import starts again.');
    const rejection = deadline.aborted ? UploadRejection.tooSlow(deps.imports.timeoutMs) : thrown;
    if (!(rejection instanceof UploadRejection)) throw thrown;
    await failUpload(deps.db, uploadId, storeFailure(rejection.failure));
    deps.meter?.count('imports_total', { result: 'failed' });
  }
}

type Import = Upload & { url: string };

/** @throws {UploadRejection} */
function fetchFile(
  deps: TransferDependencies,
  upload: Import,
  signal: AbortSignal,
): Promise<TransferredFile> {
  return pRetry(() => fetchWhenFree(deps, upload, signal), {
    retries,
    minTimeout: deps.imports.retryMs ?? defaultRetryMs,
    maxTimeout: maxRetryMs,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => isTransient(error),
  });
}

/**
 * A client sends the file again when no slot to decode it is free. An import has no client, so it is repeated until it is over
 * time. Each time only the beginning of the file is read.
 */
async function fetchWhenFree(
  deps: TransferDependencies,
  upload: Import,
  signal: AbortSignal,
): Promise<TransferredFile> {
  let waitMs = deps.imports.retryMs ?? defaultRetryMs;
  for (;;) {
    try {
      return await fetchOnce(deps, upload, signal);
    } catch (error) {
      if (!(error instanceof UploadRejection) || error.reason !== 'BUSY') throw error;
    }
    await delay(waitMs * (0.5 + Math.random() / 2), undefined, { signal });
    waitMs = Math.min(waitMs * 2, maxRetryMs);
  }
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
