import { isAsyncIterable } from '@envelop/core';
import type { FetchAPI, Plugin } from 'graphql-yoga';
import type { Caller, Context } from '../../graphql/context.ts';
import { nobody } from '../auth/authenticate.ts';
import type { Sessions } from '../auth/sessions.ts';
import { cursorOf } from '../operation/context-per-event.ts';
import { isRefused, withoutHttp } from '../operation/request-error.ts';
import { usualHeartbeatMs } from './heartbeat.ts';

/** What a client waits before it comes back after its stream broke. */
const retryMs = 1_000;

/** The last words of a stream whose caller's time is over. Without `complete` its client comes back. */
const signInAgain = ': sign in again\n\n';

const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  connection: 'keep-alive',
  'x-accel-buffering': 'no',
};

export type EventStreams = ReturnType<typeof createEventStreams>;

/** Ends a stream without `complete`, behind these last words: a comment, or nothing. */
type End = (lastWords: string) => void;

/** A stream among those that are open. */
export type Place = {
  /** Of a stream that has ended by itself. */
  leave(): void;
  /** From now on the stream ends with this caller's time too. */
  bindTo(caller: Caller): void;
};

/**
 * Results as server-sent events, in the graphql-sse "distinct connections" form. Each event of a log carries its
 * cursor as `id:`, which browsers send back as `Last-Event-ID`. `end` closes all streams without `complete`, so that
 * their clients come back.
 */
export function createEventStreams(
  sessions: Pick<Sessions, 'watch'>,
  heartbeatMs = usualHeartbeatMs,
) {
  const open = new Set<End>();
  const callers = new WeakMap<Request, Caller>();
  const subscriptions = new WeakSet<Request>();

  function enter(caller: Caller, end: End): Place {
    const gone = new AbortController();
    const { signal } = gone;
    const bindTo = (each: Caller) => sessions.watch(each, { signal, end: () => end(signInAgain) });
    const leave = () => {
      open.delete(end);
      gone.abort();
    };
    open.add(end);
    bindTo(caller);
    return { leave, bindTo };
  }

  const plugin: Plugin = {
    onSubscribe({ args }) {
      const { request } = args.contextValue as { request?: Request };
      if (request !== undefined) subscriptions.add(request);
    },
    onExecutionResult({ request, context }) {
      const { caller } = context as Partial<Context>;
      if (caller !== undefined) callers.set(request, caller);
    },
    onResultProcess({ request, result, resultProcessor, setResultProcessor }) {
      // Yoga has found by now whether the client takes events, as with `*/*` it does too. Told by Yoga itself they would
      // have no place to come back to, and would go on when their caller's time is over. What else has several results
      // is an answer in parts, for who accepts that.
      const isTaken = isAsyncIterable(result) && resultProcessor !== undefined;
      if ((isTaken && subscriptions.has(request)) || prefersEvents(request.headers)) {
        const enterAs = (end: End) => enter(callers.get(request) ?? nobody, end);
        setResultProcessor(
          (each, { Response, ReadableStream }) =>
            new Response(stream(each, ReadableStream, { enter: enterAs, heartbeatMs }), {
              headers: streamHeaders,
            }),
          'text/event-stream',
        );
      }
    },
  };
  return {
    plugin,
    enter,
    end: () => {
      for (const endOne of [...open]) endOne('');
    },
    count: () => open.size,
  };
}

/** Whether events are the first of what it takes: then any result is told as one. */
export function prefersEvents(headers: Headers): boolean {
  return /^\s*text\/event-stream\b/i.test(headers.get('accept') ?? '');
}

function stream(
  result: unknown,
  Stream: FetchAPI['ReadableStream'],
  { enter, heartbeatMs }: { enter: (end: End) => Place; heartbeatMs: number },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const iterator = iterate(result);
  let heartbeat: NodeJS.Timeout | undefined;
  let place: Place | null = null;
  const leave = async () => {
    clearInterval(heartbeat);
    place?.leave();
    place = null;
    await iterator.return?.();
  };
  return new Stream<Uint8Array>({
    start(controller) {
      const write = (text: string) => controller.enqueue(encoder.encode(text));
      write(`retry: ${retryMs}\n\n`);
      heartbeat = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) write(':\n\n');
      }, heartbeatMs);
      place = enter((lastWords) => {
        if (lastWords !== '') write(lastWords);
        controller.close();
        void leave();
      });
    },
    async pull(controller) {
      try {
        const { done, value } = await iterator.next();
        if (place === null) return;
        controller.enqueue(encoder.encode(done ? 'event: complete\ndata:\n\n' : format(value)));
        if (!done) return;
        controller.close();
        await leave();
      } catch (error) {
        await leave();
        controller.error(error);
      }
    },
    cancel: leave,
  });
}

function iterate(result: unknown): AsyncIterator<unknown> | IterableIterator<unknown> {
  return isAsyncIterable(result) ? result[Symbol.asyncIterator]() : [result].values();
}

function format(result: unknown): string {
  const cursor = typeof result === 'object' && result !== null ? cursorOf(result) : undefined;
  const id = cursor === undefined ? '' : `id: ${cursor}\n`;
  const told = isRefused(result) ? { errors: withoutHttp(result.errors) } : result;
  return `${id}event: next\ndata: ${JSON.stringify(told)}\n\n`;
}
