import { Worker } from 'node:worker_threads';
import pLimit from 'p-limit';
import type { DecodeJob, DecodeResult } from './job.ts';

export type SoundConverterOptions = {
  /** Files that are decoded at the same time, each in a thread of its own. Default: 2. */
  concurrency?: number | undefined;
  /** The longest that one file may take. Default: 60 seconds; a minute of sound takes one or two. */
  timeoutMs?: number | undefined;
  /** The entry of the worker. For tests. */
  workerUrl?: URL | undefined;
};

export type ConversionResult = DecodeResult | { kind: 'timeout' | 'aborted' };

export type SoundConverter = {
  /** Decodes a file into a WAV. For a broken file the promise resolves with the problem. */
  convert(job: DecodeJob, signal: AbortSignal): Promise<ConversionResult>;
};

/** The heap of a worker. Decoders allocate outside it; the limits on their input bound that memory. */
const maxHeapMb = 256;

export function createSoundConverter({
  concurrency = 2,
  timeoutMs = 60_000,
  workerUrl = new URL('./worker.ts', import.meta.url),
}: SoundConverterOptions = {}): SoundConverter {
  const limit = pLimit(concurrency);
  return {
    convert: (job, signal) =>
      limit(async () =>
        signal.aborted ? { kind: 'aborted' } : await run(job, { signal, timeoutMs, workerUrl }),
      ),
  };
}

async function run(
  job: DecodeJob,
  { signal, timeoutMs, workerUrl }: { signal: AbortSignal; timeoutMs: number; workerUrl: URL },
): Promise<ConversionResult> {
  const worker = new Worker(workerUrl, {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    execArgv: [],
    // Discarded below: warnings of decoders can quote the file, and data of callers must not get into the log.
    stdout: true,
    stderr: true,
  });
  worker.stdout.resume();
  worker.stderr.resume();
  const { promise, resolve } = Promise.withResolvers<ConversionResult>();
  const timer = setTimeout(() => resolve({ kind: 'timeout' }), timeoutMs);
  const abort = () => resolve({ kind: 'aborted' });
  signal.addEventListener('abort', abort, { once: true });
  worker.once('message', resolve);
  worker.once('error', () => resolve({ kind: 'broken' }));
  worker.once('exit', () => resolve({ kind: 'broken' }));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    await worker.terminate();
  }
}
