import { errorCodeOf } from '../log/error-code.ts';
import type { Log } from '../log.ts';
import { type Meter, noMeter } from '../metrics/meter.ts';
import { noTracer, type Tracer } from '../tracing/tracer.ts';
import type { HttpResponse, NoResponse } from './exchange.ts';
import { pathForLog } from './path.ts';
import { isSuccess } from './response.ts';

export type Reporting = {
  log: Log;
  /** Default: nothing is measured. */
  meter?: Meter | undefined;
  /** Default: nothing is traced. */
  tracer?: Tracer | undefined;
};

/** Measures, traces and logs the request that `send` sends. */
export async function measureRequest(
  { log, meter = noMeter, tracer = noTracer }: Reporting,
  request: { method: string; path: string },
  send: () => Promise<HttpResponse | NoResponse>,
): Promise<HttpResponse | NoResponse> {
  const startedAt = performance.now();
  const endpoint = `${request.method} ${pathForLog(request.path)}`;
  // The caller's trace is not passed on: the service is not ours.
  const outcome = await tracer.run(
    endpoint,
    {
      kind: 'client',
      needsParent: true,
      attributes: { 'http.request.method': request.method },
    },
    async (span) => {
      const received = await send();
      if (received.kind === 'no-response') span.fail(received.reason);
      else span.set({ 'http.response.status_code': received.status });
      return received;
    },
  );
  const labels = {
    endpoint,
    status: outcome.kind === 'no-response' ? outcome.reason : String(outcome.status),
  };
  meter.count('upstream_requests_total', labels);
  meter.time('upstream_requests_seconds', labels, (performance.now() - startedAt) / 1_000);
  logOutcome(log, endpoint, outcome);
  return outcome;
}

/**
 * Logs details that callers must not see; nothing about a 2xx. Not the response's text: it can repeat the request, with
 * the text to speak, a password or an e-mail address.
 */
function logOutcome(log: Log, request: string, outcome: HttpResponse | NoResponse): void {
  if (outcome.kind === 'no-response') {
    const { reason, isSent, cause } = outcome;
    log.debug({ request, reason, isSent, code: errorCodeOf(cause) }, 'no response from upstream');
  } else if (!isSuccess(outcome.status)) {
    const { status, text } = outcome;
    log.debug({ request, status, characters: text.length }, 'upstream responded with a failure');
  }
}
