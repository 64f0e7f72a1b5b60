import { type Client, createClient } from 'graphql-ws/client';
import type { Result } from './answer.ts';
import { LipsyncRequestError } from './errors.ts';
import { addressOf, headersOf, type LipsyncServer, type Operation } from './server.ts';
import { createWatchdog, defaultSilenceMs, type Sink, type Transport } from './transport.ts';

export type WebSocketOptions = {
  /** A socket on which nothing comes for this long, although it is pinged, is opened anew. Default 30 000. */
  silenceMs?: number | undefined;
  /** Instead of the global `WebSocket`, which Node has from version 22 on. */
  implementation?: unknown;
};

/** The codes of 4400 to 4499 say that the client is wrong, but for these. */
const passingCodes = [
  4403, // The token has expired: the next connection brings a fresh one.
  4408, // `connection_init` came late, as where the token took its time.
  4499, // Our own, for a socket that went silent.
];

const normalClosure = 1000;

/** Streams over one socket for each server, which is open as long as any of them is. */
export function webSocket(options: WebSocketOptions = {}): Transport {
  const sockets = new WeakMap<LipsyncServer, SharedSocket>();
  return (server, operation, sink) => {
    let socket = sockets.get(server);
    if (socket === undefined || socket.isOver()) {
      socket = shareSocket(server, options);
      sockets.set(server, socket);
    }
    return socket.stream(operation, sink);
  };
}

type SharedSocket = {
  /** Whether it is closed or closing. */
  isOver(): boolean;
  stream(operation: Operation, sink: Sink): () => void;
};

/**
 * One client of graphql-ws for each socket: where it makes another, the first one's late end would break that. The
 * token is there before the socket opens, since the server waits three seconds for it, and whoever has to sign in again
 * takes longer.
 */
function shareSocket(server: LipsyncServer, options: WebSocketOptions): SharedSocket {
  const { silenceMs = defaultSilenceMs, implementation } = options;
  const streams = new Map<Sink, () => void>();
  let isOpen = false;
  let isOver = false;
  const end = () => {
    isOver = true;
    watchdog.stop();
  };
  const watchdog = createWatchdog(silenceMs, () => {
    client.terminate();
    breakAll(streams, new Error('Silence.'));
    end();
  });
  const client = createClient({
    url: addressOf(server).href.replace(/^http/, 'ws'),
    connectionParams: () => params,
    // Its own retries would begin again where the stream once began, and know no cursor.
    retryAttempts: 0,
    keepAlive: silenceMs / 3,
    ...(implementation === undefined ? {} : { webSocketImpl: implementation }),
    on: {
      connected: () => {
        isOpen = true;
      },
      message: watchdog.touch,
      pong: (isReceived) => {
        if (isReceived) for (const sink of streams.keys()) sink.live();
      },
      error: end,
      closed: (event) => {
        end();
        // After a normal end the client would come back by itself, at once and for ever.
        if ((event as CloseEvent).code === normalClosure) breakAll(streams, event);
      },
    },
  });
  watchdog.touch();
  const params = headersOf(server);
  params.catch(end);
  return {
    isOver: () => isOver,
    stream(operation, sink) {
      const leave = subscribe(client, params, { operation, sink });
      streams.set(sink, leave);
      return () => {
        if (!streams.delete(sink)) return;
        leave();
        if (streams.size > 0) return;
        end();
        // One that is still being opened would first be opened.
        if (!isOpen) client.terminate();
      };
    },
  };
}

/** Begins when the token is there, unless it was left before. */
function subscribe(
  client: Client,
  params: Promise<unknown>,
  { operation, sink }: { operation: Operation; sink: Sink },
): () => void {
  let leave: (() => void) | null = () => undefined;
  params.then(
    () => {
      if (leave === null) return;
      leave = client.subscribe<Record<string, unknown>>(
        { ...operation },
        {
          next: (result) => sink.next(result as Result),
          complete: sink.complete,
          error: (error) => report(error, sink),
        },
      );
    },
    (error) => sink.break(error),
  );
  return () => {
    leave?.();
    leave = null;
  };
}

function breakAll(streams: Map<Sink, () => void>, event: unknown): void {
  for (const [sink, leave] of streams) {
    sink.break(event);
    leave();
  }
  streams.clear();
}

/** What ends a stream is a list of GraphQL's errors, a close event, or whatever broke. */
function report(error: unknown, sink: Sink): void {
  if (Array.isArray(error)) {
    sink.next({ errors: error });
    return;
  }
  const { code = 0, reason = '' } = (error ?? {}) as Partial<CloseEvent>;
  const isFatal = code >= 4400 && code <= 4499 && !passingCodes.includes(code);
  if (isFatal) sink.refuse(new LipsyncRequestError(reason || `Closed with ${code}.`, String(code)));
  else sink.break(error);
}

type CloseEvent = { code: number; reason: string };
