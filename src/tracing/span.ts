import {
  type Context,
  createTraceState,
  type SpanOptions as LibraryOptions,
  type Span as LibrarySpan,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { errorCodeOf } from '../log/error-code.ts';
import {
  isSampled,
  readTraceContext,
  type Span,
  type SpanAttributes,
  type SpanOptions,
  type TraceContext,
  traceIdOf,
} from './tracer.ts';

/** A span of OpenTelemetry. */
export class RecordedSpan implements Span {
  readonly context: Context;
  readonly traceparent: string;
  isOpen = true;
  readonly #span: LibrarySpan;

  constructor(span: LibrarySpan) {
    this.#span = span;
    this.context = trace.setSpan(ROOT_CONTEXT, span);
    const { traceId, spanId, traceFlags } = span.spanContext();
    this.traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  }

  get spanContext(): SpanContext {
    return this.#span.spanContext();
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(attributes);
  }

  fail(code: string): void {
    this.#span.setAttribute('error.type', code);
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }

  add(event: string, attributes: SpanAttributes): void {
    this.#span.addEvent(event, attributes);
  }

  end(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#span.end();
  }
}

const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

export function toLibraryOptions(
  { kind = 'internal', attributes, startedAt }: SpanOptions,
  links: Link[],
): LibraryOptions {
  return {
    kind: kinds[kind],
    links,
    ...(attributes === undefined ? {} : { attributes }),
    ...(startedAt === undefined ? {} : { startTime: startedAt }),
  };
}

/** The parent and the links of a new span while the span `active` is active. */
export function placeSpan(
  active: RecordedSpan | null,
  { caller = null, of = null, links = [] }: SpanOptions,
): { context: Context; links: Link[] } {
  const linked = links.flatMap(toLink);
  if (caller !== null) return { context: remoteContext(caller), links: linked };
  if (of === null || (active !== null && traceIdOf(of) === active.spanContext.traceId)) {
    return { context: active?.context ?? ROOT_CONTEXT, links: linked };
  }
  const causes = active === null ? [] : [{ context: active.spanContext }];
  return { context: remoteContext({ traceparent: of }), links: [...causes, ...linked] };
}

/** Without links to spans that are not recorded. */
function toLink(traceparent: string | null): Link[] {
  const found = isSampled(traceparent) ? readTraceContext(traceparent) : null;
  return found === null ? [] : [{ context: toSpanContext(found) }];
}

function remoteContext(from: TraceContext): Context {
  return trace.setSpanContext(ROOT_CONTEXT, toSpanContext(from));
}

function toSpanContext({ traceparent, tracestate }: TraceContext): SpanContext {
  return {
    traceId: traceparent.slice(3, 35),
    spanId: traceparent.slice(36, 52),
    traceFlags: Number.parseInt(traceparent.slice(53, 55), 16),
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  };
}

/** The code of what was thrown, or the name of its class: never its message, which can quote a caller. */
export function nameThrown(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return typeof thrown;
  const code = errorCodeOf(thrown);
  if (code !== undefined) return code;
  const { name } = thrown.constructor ?? {};
  return typeof name === 'string' && /^\w{1,63}$/.test(name) ? name : 'unknown';
}
