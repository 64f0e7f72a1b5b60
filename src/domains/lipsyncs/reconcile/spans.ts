import { isSampled, type SpanOptions } from '../../../tracing/tracer.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import type { EventSource } from '../lifecycle.ts';
import type { Lipsync } from '../store/lipsyncs.ts';

type Reads = { accountId: string; lipsyncs: readonly Lipsync[]; source: EventSource };

/**
 * Runs a read of the upstream in a span. For one lip-sync the span is in the trace of the lip-sync. For several it is in a
 * trace of its own, with links to their recorded traces.
 */
export function traceReads<T>(
  { tracer }: Pick<LipsyncDependencies, 'tracer'>,
  { accountId, lipsyncs, source }: Reads,
  work: () => Promise<T>,
): Promise<T> {
  const [first] = lipsyncs;
  const traced = lipsyncs.filter(({ traceparent }) => isSampled(traceparent));
  if (first === undefined || traced.length === 0) return work();
  const name = source === 'CALLBACK' ? 'lipsync callback' : 'lipsync poll';
  const attributes = { 'account.id': accountId, 'lipsync.source': source };
  const options: SpanOptions =
    lipsyncs.length === 1
      ? { of: first.traceparent, attributes: { ...attributes, 'lipsync.id': first.id } }
      : {
          links: traced.map(({ traceparent }) => traceparent),
          attributes: { ...attributes, 'lipsync.count': lipsyncs.length },
        };
  return tracer.run(name, { kind: 'consumer', ...options }, work);
}
