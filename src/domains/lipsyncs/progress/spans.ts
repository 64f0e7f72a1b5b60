import { type LiveEvents, nextOf } from '../../../live-events.ts';
import type { Tracer } from '../../../tracing/tracer.ts';
import type { Lipsync } from '../store/lipsyncs.ts';
import type { Progress } from './log-feed.ts';

/**
 * Traces a subscriber's stream in its own trace, linked to its lip-syncs: each event that is sent is an event of the span,
 * which ends with the stream. A span for each event would be too many: there may be thousands of subscribers.
 */
export function traceStream(
  tracer: Tracer,
  events: LiveEvents<Progress>,
  lipsyncs: readonly Lipsync[],
): LiveEvents<Progress> {
  if (!tracer.isOn) return events;
  const [first] = lipsyncs;
  const span = tracer.start('lipsync stream', {
    kind: 'producer',
    links: lipsyncs.map(({ traceparent }) => traceparent),
    attributes: {
      'lipsync.count': lipsyncs.length,
      ...(lipsyncs.length === 1 && first !== undefined ? { 'lipsync.id': first.id } : {}),
    },
  });
  return {
    take() {
      const taken = events.take();
      if (taken === 'complete') span.end();
      else if (taken !== 'none') {
        const { lipsyncId, status, sequence } = taken.event;
        span.add('lipsync event', {
          'lipsync.id': lipsyncId,
          'lipsync.status': status,
          'lipsync.sequence': sequence,
        });
      }
      return taken;
    },
    onReady: (listener) => events.onReady(listener),
    next() {
      return nextOf(this);
    },
    return() {
      span.end();
      return events.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
