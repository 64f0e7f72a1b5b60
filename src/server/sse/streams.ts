import { isAsyncIterable } from '@envelop/core';
import type { FetchAPI } from 'graphql-yoga';
import type { Caller } from '../../graphql/context.ts';
import { unauthenticatedCaller } from '../auth/authenticate.ts';
import type { Sessions } from '../auth/sessions.ts';
import { cursorOf } from '../operation/context-per-event.ts';
import type { PipelinePlugin } from '../operation/plugin.ts';
import { isRejectedResult, stripHttpExtension } from '../operation/request-error.ts';
import { defaultHeartbeatMs, startHeartbeat } from './heartbeat.ts';

/** How long an EventSource waits before it reconnects. */
const retryMs = 1_000;

/** The comment at the end of a stream after its credential expired. Without `complete` the client reconnects. */
const signInAgain = ': sign in again\n\n';

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
      const isAcceptedStream = isAsyncIterable(result) && resultProcessor !== undefined;
      if (!isAcceptedStream && !prefersEvents(request.headers)) return;
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

function createStream(
  result: unknown,
  Stream: FetchAPI['ReadableStream'],
  { register, heartbeatMs }: { register: (end: EndStream) => OpenStream; heartbeatMs: number },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const iterator = iterate(result);
  let stopHeartbeat = () => {};
  let open: OpenStream | null = null;
  const close = async () => {
    stopHeartbeat();
    open?.close();
    open = null;
    await iterator.return?.();
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
        void close();
      });
    },
    async pull(controller) {
      try {
        const { done, value } = await iterator.next();
        if (open === null) return;
        controller.enqueue(encoder.encode(done ? 'event: complete\ndata:\n\n' : format(value)));
        if (!done) return;
        controller.close();
        await close();
      } catch (error) {
        await close();
        controller.error(error);
      }
    },
    cancel: close,
  });
}

function iterate(result: unknown): AsyncIterator<unknown> | IterableIterator<unknown> {
  return isAsyncIterable(result) ? result[Symbol.asyncIterator]() : [result].values();
}

function format(result: unknown): string {
  const cursor = typeof result === 'object' && result !== null ? cursorOf(result) : undefined;
  const id = cursor === undefined ? '' : `id: ${cursor}\n`;
  const data = isRejectedResult(result) ? { errors: stripHttpExtension(result.errors) } : result;
  return `${id}event: next\ndata: ${JSON.stringify(data)}\n\n`;
}
