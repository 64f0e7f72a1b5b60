import { isAsyncIterable } from '@envelop/core';
import type { FetchAPI, Plugin } from 'graphql-yoga';
import { cursorOf } from './events.ts';

/** A comment line this often keeps proxies from cutting a quiet stream. */
const pingMs = 12_000;

/** What a client waits before it comes back after its stream broke. */
const retryMs = 1_000;

const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  connection: 'keep-alive',
  'x-accel-buffering': 'no',
};

export type EventStreams = ReturnType<typeof createEventStreams>;

/**
 * Results as server-sent events, in the graphql-sse "distinct connections" form. Each event of a log carries its
 * cursor as `id:`, which browsers send back as `Last-Event-ID`. `end` closes all streams without `complete`, so that
 * their clients come back.
 */
export function createEventStreams() {
  const open = new Set<() => void>();
  const plugin: Plugin = {
    onResultProcess({ request, result, setResultProcessor }) {
      const accept = request.headers.get('accept') ?? '';
      const isFirst = accept.trimStart().startsWith('text/event-stream');
      if (isFirst || (isAsyncIterable(result) && accept.includes('text/event-stream'))) {
        setResultProcessor((each, fetchAPI) => stream(each, fetchAPI, open), 'text/event-stream');
      }
    },
  };
  return {
    plugin,
    end: () => {
      for (const endOne of [...open]) endOne();
    },
    count: () => open.size,
  };
}

/** `open` holds, as long as the stream lasts, a function that ends it without `complete`. */
function stream(result: unknown, fetchAPI: FetchAPI, open: Set<() => void>): Response {
  const encoder = new TextEncoder();
  const iterator = iterate(result);
  let ping: NodeJS.Timeout | undefined;
  let end = () => {};
  const leave = async () => {
    clearInterval(ping);
    open.delete(end);
    await iterator.return?.();
  };
  const body = new fetchAPI.ReadableStream<Uint8Array>({
    start(controller) {
      const write = (text: string) => controller.enqueue(encoder.encode(text));
      write(`retry: ${retryMs}\n\n`);
      ping = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) write(':\n\n');
      }, pingMs);
      end = () => {
        controller.close();
        void leave();
      };
      open.add(end);
    },
    async pull(controller) {
      try {
        const { done, value } = await iterator.next();
        if (!open.has(end)) return;
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
  return new fetchAPI.Response(body, { headers: streamHeaders });
}

function iterate(result: unknown): AsyncIterator<unknown> | IterableIterator<unknown> {
  return isAsyncIterable(result) ? result[Symbol.asyncIterator]() : [result].values();
}

function format(result: unknown): string {
  const cursor = typeof result === 'object' && result !== null ? cursorOf(result) : undefined;
  const id = cursor === undefined ? '' : `id: ${cursor}\n`;
  return `${id}event: next\ndata: ${JSON.stringify(result)}\n\n`;
}
