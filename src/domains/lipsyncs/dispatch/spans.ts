import type { LipsyncDependencies } from '../dependencies.ts';
import type { Lipsync } from '../store/lipsyncs.ts';
import type { Settlement } from './settle.ts';

type Deps = Pick<LipsyncDependencies, 'tracer'>;

/** Traces how long a lip-sync that has just been claimed has waited. */
export function traceWait({ tracer }: Deps, lipsync: Lipsync, startedAt: Date): void {
  const { id, traceparent, attempts } = lipsync;
  const attributes = { 'lipsync.id': id, 'lipsync.attempt': attempts };
  tracer.start('lipsync wait', { of: traceparent, attributes, startedAt }).end();
}

/** Runs the submission of a claimed lip-sync in a span of its trace. */
export function traceSubmission(
  { tracer }: Deps,
  { id, traceparent, attempts, accountId }: Lipsync,
  submit: () => Promise<Settlement>,
): Promise<Settlement> {
  const attributes = {
    'lipsync.id': id,
    'lipsync.attempt': attempts,
    ...(accountId === null ? {} : { 'account.id': accountId }),
  };
  return tracer.run('lipsync submit', { of: traceparent, attributes }, async (span) => {
    const settlement = await submit();
    span.set({ 'lipsync.outcome': settlement.kind });
    if (settlement.kind === 'rejected') span.fail(settlement.failure.code);
    return settlement;
  });
}
