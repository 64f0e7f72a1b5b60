import type { LipsyncServer } from '../server.ts';
import { SharedSocket, type SocketClass } from './shared-socket.ts';
import { defaultSilenceMs, type Transport } from './transport.ts';

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

/** Streams over WebSocket. All streams of one server share a socket, which closes with the last of them. */
export function webSocket(options: WebSocketOptions = {}): Transport {
  const sockets = new WeakMap<LipsyncServer, SharedSocket>();
  return (server, operation, sink) => {
    let socket = sockets.get(server);
    if (socket === undefined || socket.isClosed) {
      const { silenceMs = defaultSilenceMs } = options;
      socket = new SharedSocket(server, requireImplementation(options), silenceMs);
      sockets.set(server, socket);
    }
    return socket.stream(operation, sink);
  };
}

/** @throws TypeError if there is none. Thrown when a stream opens, so that a page rendered on a server loads without. */
function requireImplementation({ implementation }: WebSocketOptions): SocketClass {
  const found = implementation ?? (globalThis as { WebSocket?: unknown }).WebSocket;
  if (typeof found === 'function') return found as SocketClass;
  throw new TypeError(
    'There is no global WebSocket here. Pass one, for example the class of the npm package ws: webSocket({ implementation: WebSocket }).',
  );
}
