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
import { defaultHeartbeatMs, startHeartbeat } from './heartbeat.ts';

/** How long an EventSource waits before it reconnects. */
const retryMs = 1_000;

/** The comment at the end of a stream after its credential expired. Without `complete` the client reconnects. */
const signInAgain = ': sign in again\n\n';

/** The same while the database is not available: the client continues from its last event. */
const tryAgain = ': temporarily unavailable\n\n';

const encoder = new TextEncoder();

const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  connection: 'keep-alive',
  'x-accel-buffering': 'no',
};

/** Why this server ends a stream that is not complete. */
export type EndReason = 'SIGNED_OUT' | 'SERVER_STOPS';

type EndStream = (reason: EndReason) => void;

/** A stream in the list of open streams. */
export type OpenStream = {
  /** Removes the stream from the list, after it ended in any other way than through `EndStream`. */
  close(): void;
};

export type EventStreams = ReturnType<typeof createEventStreams>;

/**
 * Sends results as server-sent events, in the "distinct connections" mode of graphql-sse. Each event of a lip-sync carries
 * its cursor as `id:`, which browsers send back as `Last-Event-ID`. `endAll` ends every stream without `complete`, so that
 * clients reconnect.
 */
export function createEventStreams(
  sessions: Pick<Sessions, 'watch'>,
  heartbeatMs = defaultHeartbeatMs,
) {
  const openStreams = new Set<EndStream>();

  /** Adds a stream. `end` is called when its caller's credential expires or the process stops. */
  function register(caller: Caller, end: EndStream): OpenStream {
    const closing = new AbortController();
    openStreams.add(end);
    sessions.watch(caller, { signal: closing.signal, end: () => end('SIGNED_OUT') });
    return {
      close() {
        openStreams.delete(end);
        closing.abort();
      },
    };
  }

  const plugin: PipelinePlugin = {
    onResultProcess({ request, result, resultProcessor, serverContext, setResultProcessor }) {
      // Yoga has selected a processor if the client accepts events, also by `*/*`. It is replaced, because Yoga's streams
      // have no `id:` and do not end when the credential expires.
      const isAcceptedStream = result instanceof PayloadStream && resultProcessor !== undefined;
      if (!isAcceptedStream && !prefersEvents(request.headers)) return;
      const errors = isRejectedResult(result) ? result.errors : [];
      if (errors.some(isUnavailableError)) {
        // 200 would tell a proxy, and a client that does not read the event, that the stream works.
        setResultProcessor((_, api) => unavailableResponse(api), 'application/json');
        return;
      }
      const caller = serverContext.caller ?? unauthenticatedCaller;
      setResultProcessor(
        (each, { Response, ReadableStream }) =>
          new Response(
            createStream(each, ReadableStream, {
              register: (end) => register(caller, end),
              heartbeatMs,
            }),
            { headers: streamHeaders },
          ),
        'text/event-stream',
      );
    },
  };
  return {
    plugin,
    register,
    endAll: () => {
      for (const end of [...openStreams]) end('SERVER_STOPS');
    },
    count: () => openStreams.size,
  };
}

/** True if the client prefers events to JSON: then any result is sent as an event, also of a query. */
function prefersEvents(headers: Headers): boolean {
  return /^\s*text\/event-stream\b/i.test(headers.get('accept') ?? '');
}

type StreamOptions = { register: (end: EndStream) => OpenStream; heartbeatMs: number };

function createStream(
  result: unknown,
  Stream: FetchAPI['ReadableStream'],
  { register, heartbeatMs }: StreamOptions,
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
      write(`retry: ${retryMs}\n\n`);
      stopHeartbeat = startHeartbeat(() => {
        // Backpressure: a client that does not read gets no heartbeats.
        if ((controller.desiredSize ?? 0) > 0) write(':\n\n');
      }, heartbeatMs);
      open = register((reason) => {
        if (reason === 'SIGNED_OUT') write(signInAgain);
        controller.close();
        close();
      });
      const sink: Sink = {
        send({ frame }) {
          const readable = new Promise<void>((resolve) => {
            onReadable = resolve;
          });
          controller.enqueue(frame);
          return readable;
        },
        complete() {
          write('event: complete\ndata:\n\n');
          controller.close();
          close();
        },
        fail(error) {
          close();
          if (!(error instanceof GraphQLError) || !isUnavailableError(error)) {
            controller.error(error);
            return;
          }
          write(tryAgain);
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
