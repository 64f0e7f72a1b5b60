/** A `traceparent` of the W3C, and the `tracestate` that came with it. */
export type TraceContext = { traceparent: string; tracestate?: string | undefined };

/**
 * The attributes of a span. The values are ids, codes, counts and names of our own: nothing that a caller or the upstream
 * wrote, no URL and no token.
 */
export type SpanAttributes = {
  'lipsync.id'?: string;
  'lipsync.status'?: string;
  'lipsync.sequence'?: number;
  /** What led this server to notice a change. */
  'lipsync.source'?: string;
  'lipsync.attempt'?: number;
  /** The outcome of a submission. */
  'lipsync.outcome'?: string;
  /** Lip-syncs of a poll or a subscription to several. */
  'lipsync.count'?: number;
  'upload.id'?: string;
  'webhook.delivery.id'?: string;
  'webhook.event'?: string;
  'webhook.attempt'?: number;
  'account.id'?: string;
  'request.id'?: string;
  'graphql.operation.type'?: string;
  'http.request.method'?: string;
  'http.response.status_code'?: number;
  /** A code of `src/errors.ts` or of another closed list. */
  'error.type'?: string;
};

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** The parent of a span. The default is the active span; without one, the span begins a trace. */
export type SpanOptions = {
  kind?: SpanKind;
  attributes?: SpanAttributes;
  /** Of the request: the span continues the caller's trace. */
  caller?: TraceContext | null;
  /**
   * The `traceparent` in the row of a lip-sync or upload: the span belongs to its trace. An active span of the same
   * trace is its parent, and one of another trace is linked.
   */
  of?: string | null;
  /** Further `traceparent`s. */
  links?: readonly (string | null)[];
  /** True: without an active span no span is started. */
  needsParent?: boolean;
  startedAt?: Date;
};

export type Span = {
  /** The value to store in a row or to send with a request. Null without tracing. */
  readonly traceparent: string | null;
  set(attributes: SpanAttributes): void;
  /** Marks the span as failed. */
  fail(code: string): void;
  /** Adds an event to the span. */
  add(event: string, attributes: SpanAttributes): void;
  /** Calls after the first do nothing. */
  end(): void;
};

/** What the parts of the program report as traces. They do not know the library behind it. */
export type Tracer = {
  /** False: every span is `noSpan`. */
  readonly isOn: boolean;
  /** Begins a span that is not active. */
  start(name: string, options: SpanOptions): Span;
  /** Runs `work` while the span is active, and does not end it. */
  within<T>(span: Span, work: () => T): T;
  /** Runs `work` in a span, which ends with it. A thrown failure marks the span with its code. */
  run<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
  /** Sends what has ended. Never rejects. */
  flush(): Promise<void>;
  /** Sends what has ended, for at most two seconds, and stops. Never rejects. */
  close(): Promise<void>;
};

/** Records nothing. */
export const noSpan: Span = {
  traceparent: null,
  set: () => undefined,
  fail: () => undefined,
  add: () => undefined,
  end: () => undefined,
};

/** Traces nothing. */
export const noTracer: Tracer = {
  isOn: false,
  start: () => noSpan,
  within: (_, work) => work(),
  run: (_, __, work) => work(noSpan),
  flush: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/** Later versions of the format may have more fields after the flags. Version `ff` and ids of zeros are invalid. */
const format =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Long enough for the 32 members that W3C Trace Context asks for, which are short in practice. */
const maxStateLength = 512;

/** The trace context that a caller sent, or null. Values of any type: they can come from JSON. */
export function readTraceContext(traceparent: unknown, tracestate?: unknown): TraceContext | null {
  if (typeof traceparent !== 'string' || traceparent.length > maxStateLength) return null;
  const [, version, traceId, spanId, flags, rest] = format.exec(traceparent) ?? [];
  if (traceId === undefined || (version === '00' && rest !== undefined)) return null;
  const isState = typeof tracestate === 'string' && tracestate.length <= maxStateLength;
  return {
    traceparent: `00-${traceId}-${spanId}-${flags}`,
    ...(isState ? { tracestate } : {}),
  };
}

/** For log lines. */
export function traceIdOf(traceparent: string | null): string | undefined {
  return traceparent?.slice(3, 35);
}

/** Whether the trace is recorded, as the last bit of the flags says. */
export function isSampled(traceparent: string | null): boolean {
  return traceparent !== null && (Number.parseInt(traceparent.slice(-1), 16) & 1) === 1;
}

/** Which request created a row: its columns `request_id` and `traceparent`. */
export type Origin = { requestId: string | null; traceparent: string | null };

/** The fields of log lines about a row. */
export function originFields({ requestId, traceparent }: Origin) {
  const traceId = traceIdOf(traceparent);
  return {
    ...(requestId === null ? {} : { requestId }),
    ...(traceId === undefined ? {} : { traceId }),
  };
}
