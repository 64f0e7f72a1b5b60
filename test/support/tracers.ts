import type { Log } from '../../src/log.ts';
import { openTracer } from '../../src/tracing/open.ts';
import type { TracingSettings } from '../../src/tracing/settings.ts';
import { silentLog } from './database.ts';

/** The tracer of the program, which sends to a collector in JSON, at once. */
export function openTestTracer(
  collector: { url: string },
  settings: Partial<TracingSettings> = {},
  log: Log = silentLog,
) {
  return openTracer(
    {
      url: `${collector.url}/v1/traces`,
      protocol: 'http/json',
      sampler: 'parentbased_always_on',
      samplerRatio: 1,
      batch: {
        maxQueueSize: 2_048,
        maxExportBatchSize: 512,
        scheduledDelayMillis: 20,
        exportTimeoutMillis: 5_000,
      },
      ...settings,
    },
    log,
  );
}
