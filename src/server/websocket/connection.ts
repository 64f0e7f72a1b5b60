import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Server } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Log } from '../../log.ts';
import type { TrustedDocuments } from '../operation/trusted-documents.ts';
import { defaultHeartbeatMs, startHeartbeat } from '../sse/heartbeat.ts';
import { closeSocket } from './backpressure.ts';
import { decodeMessage, maxControlBytes } from './messages.ts';

export type Extra = { socket: WebSocket; limits: SignInLimits };

/**
 * Before `connection_ack` a client needs one message. A few more are accepted, because graphql-ws's client can send pings
 * from the moment at which the socket opens.
 */
const maxMessagesBeforeAck = 10;

/** Bytes of a connection before `connection_ack`, and later of an unfinished message of a caller that was not admitted. */
const maxUncheckedBytes = 4 * maxControlBytes;

/**
 * Limits what a client can send before it has signed in. `connection_ack` lifts the limit on the number of messages. The
 * limit on their size stays for a caller that was not admitted: anyone gets a `connection_ack`, also without a token.
 */
export class SignInLimits {
  /** The caller is authenticated, or anonymous where anonymous callers are allowed. */
  isAdmitted = false;
  #isAcknowledged = false;
  #messages = 0;
  /** The position in the connection from which bytes are counted. */
  #countedFrom: number;
  readonly #connection: Socket;

  /**
   * Counts the bytes of the connection too: a message is checked when it is complete, and a client could buffer the
   * largest message on any number of connections.
   */
  constructor(socket: WebSocket, { socket: connection }: IncomingMessage) {
    this.#connection = connection;
    this.#countedFrom = connection.bytesRead;
    const onData = () => {
      if (this.isAdmitted) connection.off('data', onData);
      else if (connection.bytesRead - this.#countedFrom > maxUncheckedBytes) {
        connection.off('data', onData);
        closeSocket(socket, 1009, 'Message too large');
        socket.pause();
      }
    };
    connection.on('data', onData);
  }

  acknowledge({ isAdmitted }: { isAdmitted: boolean }): void {
    this.#isAcknowledged = true;
    this.isAdmitted = isAdmitted;
  }

  /** False: the client has sent too many messages. */
  countMessage(): boolean {
    this.#messages += 1;
    // From now on any number of messages is allowed, so only the bytes of an unfinished one count.
    if (this.#isAcknowledged) this.#countedFrom = this.#connection.bytesRead;
    return this.#isAcknowledged || this.#messages <= maxMessagesBeforeAck;
  }
}

type Parts = {
  trustedDocuments: TrustedDocuments;
  heartbeatMs?: number | undefined;
  log: Log;
};

/**
 * Connects a socket to the protocol. It replaces graphql-ws's own adapter for ws, which parses a message of any size and
 * depth before anything can check it, and writes errors to the console.
 */
export function serveConnection(protocol: Server<Extra>, extra: Extra, parts: Parts): void {
  const { socket } = extra;
  keepAlive(socket, parts.heartbeatMs ?? defaultHeartbeatMs);
  const onClosed = protocol.opened(
    {
      protocol: socket.protocol,
      send: (data) => sendIfOpen(socket, data),
      close: (code, reason) => closeSocket(socket, code, reason),
      onMessage: (handle) => {
        socket.on('message', (data) => {
          void handleMessage(data as Buffer, { ...parts, extra, handle });
        });
      },
    },
    extra,
  );
  socket.once('close', (code, reason) => void onClosed(code, String(reason)));
}

async function handleMessage(
  bytes: Buffer,
  parts: Parts & { extra: Extra; handle: (data: string) => Promise<void> },
): Promise<void> {
  const { socket, limits } = parts.extra;
  if (socket.readyState !== socket.OPEN) return;
  if (!limits.countMessage()) return closeSocket(socket, 4400, 'Too many messages');
  const decoded = decodeMessage(bytes, {
    isAdmitted: limits.isAdmitted,
    documents: parts.trustedDocuments,
  });
  if ('closeCode' in decoded) return closeSocket(socket, decoded.closeCode, decoded.reason);
  try {
    // graphql-ws takes a parsed message too, although the type of its callback says only text.
    await parts.handle(decoded.message as unknown as string);
  } catch (error) {
    parts.log.error({ err: error }, 'a WebSocket message failed');
    // The message of the error stays here: it can contain anything.
    closeSocket(socket, 4500, 'Internal server error');
  }
}

/** Resolves when the data was sent, or when the connection has closed instead. */
function sendIfOpen(socket: WebSocket, data: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState === socket.OPEN) socket.send(data, () => resolve());
    else resolve();
  });
}

/**
 * Sends a ping at each interval, and disconnects a client that has not answered the one before. The answer must repeat the
 * ping's random text: otherwise a client that never reads could keep what it was sent in memory by sending pongs.
 */
function keepAlive(socket: WebSocket, intervalMs: number): void {
  let awaited: string | null = null;
  socket.on('pong', (data) => {
    if (String(data) === awaited) awaited = null;
  });
  const check = () => {
    if (socket.readyState !== socket.OPEN) return;
    if (awaited !== null) return socket.terminate();
    awaited = randomUUID();
    socket.ping(awaited);
  };
  // Reads first the answers that arrived while the event loop was blocked.
  const stop = startHeartbeat(() => void setImmediate(check), intervalMs);
  socket.once('close', stop);
}
