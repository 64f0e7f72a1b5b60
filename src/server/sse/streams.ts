import { type ExecutionResult, GraphQLError } from 'graphql';
import type { FetchAPI } from 'graphql-yoga';
import type { Caller } from '../../graphql/context.ts';
import { unauthenticatedCaller } from '../auth/authenticate.ts';
import type { Sessions } from '../auth/sessions.ts';
import type { PipelinePlugin } from '../operation/plugin.ts';
import {
  isRejectedResult,
  isUnavailableError,
  stripHttpExtension,
} from '../operation/request-error.ts';
import { unavailableResponse } from '../operation/request-params.ts';
import { Payload } from '../subscriptions/payload.ts';
import { PayloadStream } from '../subscriptions/payload-stream.ts';
import type { Sink } from '../subscriptions/result-queue.ts';
import {
  type EndReason,
  multipartSubscription,
  multipartType,
  type StreamFormat,
  serverSentEvents,
} from './formats.ts';
import { defaultHeartbeatMs, startHeartbeat } from './heartbeat.ts';

const encoder = new TextEncoder();

/**
 * How the events of a stream reach the client: as server-sent events, as parts of a response, as POSTs to a router, or
 * as notifications to an agent.
 */
export type StreamKind = 'sse' | 'multipart' | 'callback' | 'mcp';

type EndStream = (reason: EndReason) => void;

/** A stream in the list of open streams. */
export type OpenStream = {
  /** Removes the stream from the list, after it ended in any other way than through `EndStream`. */
  close(): void;
};

export type EventStreams = ReturnType<typeof createEventStreams>;

/**
 * Sends results over HTTP responses that stay open, in the format that the client prefers. `endAll` interrupts every stream,
 * so that clients reconnect.
 */
export function createEventStreams(
  sessions: Pick<Sessions, 'watch'>,
  heartbeatMs = defaultHeartbeatMs,
) {
  const openStreams = new Map<EndStream, StreamKind>();

  /** Adds a stream. `end` is called when its caller's credential expires or the process stops. */
  function register(caller: Caller, end: EndStream, kind: StreamKind): OpenStream {
    const closing = new AbortController();
    openStreams.set(end, kind);
    sessions.watch(caller, { signal: closing.signal, end: () => end('SIGNED_OUT') });
    return {
      close() {
        openStreams.delete(end);
        closing.abort();
      },
    };
  }

  const plugin: PipelinePlugin = {
    onResultProcess({ request, result, serverContext, setResultProcessor }) {
      // Yoga's own processors for streams write no `id:`, do not end when the credential expires, and do not know the
      // multipart protocol for subscriptions.
      const format = selectFormat(request.headers, result instanceof PayloadStream);
      if (format === null) return;
      const errors = isRejectedResult(result) ? result.errors : [];
      if (errors.some(isUnavailableError)) {
        // With 200 a proxy, and a client that does not read the event, would take the stream for a working one.
        setResultProcessor((_, api) => unavailableResponse(api), 'application/json');
        return;
      }
      const caller = serverContext.caller ?? unauthenticatedCaller;
      setResultProcessor(
        (each, { Response, ReadableStream }) =>
          new Response(
            createStream(each, ReadableStream, {
              format,
              register: (end) => register(caller, end, kindOf(format)),
              heartbeatMs,
            }),
            { headers: format.headers },
          ),
        'text/event-stream',
      );
    },
  };
  return {
    plugin,
    register,
    endAll: () => {
      for (const end of [...openStreams.keys()]) end('SERVER_STOPS');
    },
    count: (kind: StreamKind) => [...openStreams.values()].filter((each) => each === kind).length,
  };
}

function kindOf(format: StreamFormat): StreamKind {
  return format === multipartSubscription ? 'multipart' : 'sse';
}

/**
 * The format that the client prefers; null: one result in JSON, or no accepted stream. A client that prefers server-sent
 * events gets every result as an event. One that accepts multipart gets a single result as a part only if it does not
 * accept JSON: the result is usually the answer to a request that was rejected.
 *
 * @param headers with the normalized Accept
 */
function selectFormat(headers: Headers, isStream: boolean): StreamFormat | null {
  const ranges = rangesOf(headers);
  if (isStream) {
    const range = ranges.find((each) => streamFormats.has(each));
    return streamFormats.get(range ?? '') ?? null;
  }
  if (ranges[0] === 'text/event-stream') return serverSentEvents;
  return ranges.includes(multipartType) && !acceptsJson(ranges) ? multipartSubscription : null;
}

/** True for a client that accepts multipart and JSON. Yoga would send it a single result in parts. */
export function needsSingleResult(headers: Headers): boolean {
  const ranges = rangesOf(headers);
  return ranges.includes(multipartType) && acceptsJson(ranges);
}

function rangesOf(headers: Headers): string[] {
  const accept = headers.get('accept') ?? '';
  return accept
    .toLowerCase()
    .split(',')
    .map((range) => range.trim());
}

function acceptsJson(ranges: readonly string[]): boolean {
  return ranges.some((range) => jsonRanges.has(range));
}

const streamFormats = new Map<string, StreamFormat>([
  ['text/event-stream', serverSentEvents],
  ['text/*', serverSentEvents],
  ['*/*', serverSentEvents],
  [multipartType, multipartSubscription],
]);
const jsonRanges = new Set([
  'application/json',
  'application/graphql-response+json',
  'application/*',
  '*/*',
]);

type StreamOptions = {
  format: StreamFormat;
  register: (end: EndStream) => OpenStream;
  heartbeatMs: number;
};

function createStream(
  result: unknown,
  Stream: FetchAPI['ReadableStream'],
  { format, register, heartbeatMs }: StreamOptions,
): ReadableStream<Uint8Array> {
  let stopHeartbeat = () => {};
  let open: OpenStream | null = null;
  let onReadable = () => {};
  const close = () => {
    stopHeartbeat();
    open?.close();
    open = null;
    if (result instanceof PayloadStream) result.close();
  };
  return new Stream<Uint8Array>({
    start(controller) {
      const write = (text: string) => controller.enqueue(encoder.encode(text));
      write(format.start);
      stopHeartbeat = startHeartbeat(() => {
        // Backpressure: a client that does not read gets no heartbeats.
        if ((controller.desiredSize ?? 0) > 0) write(format.heartbeat);
      }, heartbeatMs);
      open = register((reason) => {
        write(format.interrupted(reason));
        controller.close();
        close();
      });
      const sink: Sink = {
        send(payload) {
          const readable = new Promise<void>((resolve) => {
            onReadable = resolve;
          });
          controller.enqueue(payload.frame(format));
          return readable;
        },
        complete() {
          write(format.complete);
          controller.close();
          close();
        },
        fail(error) {
          close();
          if (!(error instanceof GraphQLError) || !isUnavailableError(error)) {
            controller.error(error);
            return;
          }
          write(format.interrupted('UNAVAILABLE'));
          controller.close();
        },
      };
      if (result instanceof PayloadStream) return result.deliver(sink);
      void sink.send(payloadOf(result));
      sink.complete();
    },
    pull: () => onReadable(),
    cancel: close,
  });
}

function payloadOf(result: unknown): Payload {
  const data = isRejectedResult(result) ? { errors: stripHttpExtension(result.errors) } : result;
  return new Payload(data as ExecutionResult);
}
