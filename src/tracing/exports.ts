import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Log } from '../log.ts';

/**
 * Logs when spans can't be sent any more, and when they can again. Not each failure: an unavailable collector causes one
 * every few seconds.
 */
export function watchExports(exporter: SpanExporter, log: Log): SpanExporter {
  let isFailing = false;

  function report({ code, error }: ExportResult): void {
    const hasFailed = code === ExportResultCode.FAILED;
    if (hasFailed === isFailing) return;
    isFailing = hasFailed;
    if (hasFailed)
      log.warn(
        { err: error },
        'traces cannot be sent; when the queue is full, further ones are dropped',
      );
    else log.info('traces are sent again');
  }

  return {
    export: (spans, callback) =>
      exporter.export(spans, (result) => {
        report(result);
        callback(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
