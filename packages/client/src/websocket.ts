import { type Client, createClient } from 'graphql-ws/client';
import { LipsyncRequestError } from './errors.ts';
import type { ExecutionResult, RequestError } from './result.ts';
import { headersOf, type LipsyncServer, type Operation, resolveUrl } from './server.ts';
import { createWatchdog, defaultSilenceMs, type Sink, type Transport } from './transport.ts';

/** Options of `webSocket`. */
export type WebSocketOptions = {
  /** A socket that receives nothing for this long, not even a pong, is reopened. Default 30 000. */
  silenceMs?: number | undefined;
  /**
   * Used in place of the global `WebSocket`. Node has a global one from version 22; before that, pass the class of the
   * `ws` package.
   */
  implementation?: unknown;
};

/** Close codes from 4400 to 4499 mean a client error that a reconnect would repeat, except these. */
const retryableCloseCodes = [
  4403, // The token expired. The next connection sends a fresh one.
  4408, // `connection_init` arrived too late, for example because `token()` was slow.
  4499, // Closed by the kit itself after silence.
];

const normalClosure = 1000;

/** Streams over WebSocket. All streams of one server share a socket, which closes with the last of them. */
export function webSocket(options: WebSocketOptions = {}): Transport {
  const sockets = new WeakMap<LipsyncServer, SharedSocket>();
  return (server, operation, sink) => {
    let socket = sockets.get(server);
    if (socket === undefined || socket.isClosed()) {
      socket = openSharedSocket(server, options);
      sockets.set(server, socket);
    }
    return socket.stream(operation, sink);
  };
}

type SharedSocket = {
  /** Also true while it is closing. */
  isClosed(): boolean;
  stream(operation: Operation, sink: Sink): () => void;
};

/**
 * Opens a socket with a graphql-ws client of its own. A client that opened a second socket would break it when the late
 * close event of the first one arrives. The token is fetched before the socket opens, because the server waits only
 * three seconds for `connection_init` and a sign-in dialog takes longer.
 */
function openSharedSocket(server: LipsyncServer, options: WebSocketOptions): SharedSocket {
  const { silenceMs = defaultSilenceMs } = options;
  const webSocketImpl = requireImplementation(options);
  const streams = new Map<Sink, () => void>();
  let isOpen = false;
  let isClosed = false;
  const markClosed = () => {
    isClosed = true;
    watchdog.stop();
  };
  const watchdog = createWatchdog(silenceMs, () => {
    client.terminate();
    disconnectAll(streams, new Error('The socket fell silent.'));
    markClosed();
  });
  const client = createClient({
    url: resolveUrl(server).href.replace(/^http/, 'ws'),
    connectionParams: () => params,
    // Its own retries would resubscribe with the first cursor and repeat events.
    retryAttempts: 0,
    keepAlive: silenceMs / 3,
    webSocketImpl,
    on: {
      connected: () => {
        isOpen = true;
      },
      message: watchdog.reset,
      pong: (isReceived) => {
        if (isReceived) for (const sink of streams.keys()) sink.heartbeat();
      },
      error: markClosed,
      closed: (event) => {
        markClosed();
        // After a normal closure the client reconnects by itself, immediately and without a limit.
        if ((event as CloseEvent).code === normalClosure) disconnectAll(streams, event);
      },
    },
  });
  watchdog.reset();
  const params = headersOf(server);
  params.catch(markClosed);
  return {
    isClosed: () => isClosed,
    stream(operation, sink) {
      const unsubscribe = subscribeAfter(params, client, { operation, sink });
      streams.set(sink, unsubscribe);
      return () => {
        if (!streams.delete(sink)) return;
        unsubscribe();
        if (streams.size > 0) return;
        markClosed();
        // Otherwise the client would finish opening the socket before it closes it.
        if (!isOpen) client.terminate();
      };
    },
  };
}

/** @throws TypeError if there is none. Thrown when a stream opens, so that a page rendered on a server loads without. */
function requireImplementation({ implementation }: WebSocketOptions): unknown {
  const found = implementation ?? (globalThis as { WebSocket?: unknown }).WebSocket;
  if (found !== undefined) return found;
  throw new TypeError(
    'There is no global WebSocket here. Pass one, for example the class of the npm package ws: webSocket({ implementation: WebSocket }).',
  );
}

/** Subscribes when the connection parameters are ready, unless the stream is closed before. */
function subscribeAfter(
  params: Promise<unknown>,
  client: Client,
  { operation, sink }: { operation: Operation; sink: Sink },
): () => void {
  let unsubscribe: (() => void) | null = () => undefined;
  params.then(
    () => {
      if (unsubscribe === null) return;
      unsubscribe = client.subscribe<Record<string, unknown>>(
        { ...operation },
        {
          next: (result) => sink.next(result as ExecutionResult),
          complete: sink.complete,
          error: (error) => reportError(error, sink),
        },
      );
    },
    (error) => sink.disconnect(error),
  );
  return () => {
    unsubscribe?.();
    unsubscribe = null;
  };
}

function disconnectAll(streams: Map<Sink, () => void>, event: unknown): void {
  for (const [sink, unsubscribe] of streams) {
    sink.disconnect(event);
    unsubscribe();
  }
  streams.clear();
}

/** @param error a list of GraphQL errors, a close event, or a network error */
function reportError(error: unknown, sink: Sink): void {
  if (Array.isArray(error)) {
    const errors = error as RequestError[];
    // The token expired while the socket was open. The next socket sends a fresh one.
    if (errors[0]?.extensions?.code === 'NOT_AUTHENTICATED') sink.disconnect(errors[0]);
    else sink.next({ errors });
    return;
  }
  const { code = 0, reason = '' } = (error ?? {}) as Partial<CloseEvent>;
  const isFatal = code >= 4400 && code <= 4499 && !retryableCloseCodes.includes(code);
  if (isFatal) {
    sink.refuse(new LipsyncRequestError(reason || `Closed with code ${code}.`, String(code)));
  } else sink.disconnect(error);
}

type CloseEvent = { code: number; reason: string };
