import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError } from 'graphql';
import type { Context as ProtocolContext } from 'graphql-ws';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Context } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import type { ContextFactory } from '../auth/context.ts';
import type { Sessions } from '../auth/sessions.ts';
import { isForeignRequest, type OriginRules } from '../http/origin.ts';
import {
  errorBody,
  foreignOriginBody,
  notFoundBody,
  sendJsonAndClose,
  tokenInUrlBody,
} from '../http/responses.ts';
import { hasToken } from '../http/url-token.ts';
import type { Pipeline } from '../operation/pipeline.ts';
import { maxRequestBytes } from '../operation/request-params.ts';
import type { TrustedDocuments } from '../operation/trusted-documents.ts';
import { defaultHeartbeatMs } from '../sse/heartbeat.ts';
import { Backpressure, closeSocket } from './backpressure.ts';
import { defaultSocketLimits, SocketCounter, type SocketLimits } from './limits.ts';
import { addEmptyQuery, type ExecutedOperation, executePayload } from './operation.ts';

/**
 * Up to this size a message that is too large gets the same error as on the other transports. Above it the socket closes
 * with 1009, because that is the only way not to read the message.
 */
const maxMessageBytes = 2 * maxRequestBytes;

/**
 * graphql-ws's "Forbidden": its clients reconnect and ask for `connectionParams` again. 4401 "Unauthorized" would describe
 * it better, but its clients do not reconnect after that.
 */
const signInAgainCode = 4403;

/** "Try again later": clients reconnect, after a pause. */
const tooManyConnectionsCode = 1013;

type WebSocketParts = {
  pipeline: Pipeline;
  createContext: ContextFactory;
  sessions: Pick<Sessions, 'watch'>;
  origins: OriginRules;
  trustedDocuments: TrustedDocuments;
  heartbeatMs?: number | undefined;
  /** Default: `defaultSocketLimits`. */
  limits?: SocketLimits | undefined;
  log: Log;
};

/** Serves GraphQL over WebSocket on `/graphql` (`graphql-transport-ws`), through the same pipeline as HTTP. */
export function attachWebSocketServer(server: Server, parts: WebSocketParts) {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes });
  const counter = new SocketCounter(parts.limits ?? defaultSocketLimits);
  const contexts = new WeakMap<object, Context>();
  const backpressures = new WeakMap<object, Backpressure>();
  const release = ({ extra }: { extra: { socket: object } }, id: string) =>
    backpressures.get(extra.socket)?.release(id);
  const protocol = useServer(
    {
      // Without this the message of an exception becomes the reason with which the socket closes.
      isProd: true,
      execute: (args) => (args as ExecutedOperation).rootValue,
      subscribe: (args) => (args as ExecutedOperation).rootValue,
      jsonMessageReviver(this: { type?: unknown }, key, value: unknown) {
        if (key === '' && isServerMessage(value)) throw new Error('Only a server sends this.');
        return key === 'payload' && this.type === 'subscribe'
          ? addEmptyQuery(value, parts.trustedDocuments)
          : value;
      },
      onConnect: (connection) => signIn(connection, { ...parts, contexts, counter }),
      onSubscribe: async (connection, id, payload) => {
        const mayStart = await backpressures.get(connection.extra.socket)?.waitForTurn(id);
        if (mayStart !== true) return [new GraphQLError('The connection is closed.')];
        const executed = await executePayload(parts, payload, contexts.get(connection));
        if (!('rootValue' in executed)) release(connection, id);
        return executed;
      },
      onNext: release,
      onComplete: release,
    },
    sockets,
    parts.heartbeatMs ?? defaultHeartbeatMs,
  );

  // Registered behind graphql-ws's own listener, which it must follow: see `replaceErrorListener`.
  sockets.on('connection', (socket) => {
    replaceErrorListener(socket, parts.log);
    backpressures.set(socket, new Backpressure(socket));
    counter.add(socket);
  });

  acceptUpgrades(server, sockets, parts);

  return {
    /** Signals every client to reconnect: 1012 is "service restart". */
    async close(): Promise<void> {
      for (const socket of sockets.clients) closeSocket(socket, 1012, 'Service restart');
      await protocol.dispose();
    },
    /** Bytes that were sent to clients and that they have not read yet. */
    countUnreadBytes: () =>
      [...sockets.clients].reduce((sum, { bufferedAmount }) => sum + bufferedAmount, 0),
  };
}

type Connection = ProtocolContext<Record<string, unknown> | undefined, Extra>;

/** Authenticates a connection by `connection_init`. False: it is rejected. */
async function signIn(
  connection: Connection,
  parts: WebSocketParts & { contexts: WeakMap<object, Context>; counter: SocketCounter },
): Promise<boolean> {
  const { socket } = connection.extra;
  const context = await parts.createContext({
    authorization: authorizationIn(connection.connectionParams),
    requestId: randomUUID(),
    lastEventId: null,
    signal: abortOnClose(socket),
  });
  if (!parts.counter.signIn(socket, context.caller, context.signal)) {
    socket.close(tooManyConnectionsCode, 'Too many connections');
    return false;
  }
  parts.contexts.set(connection, context);
  parts.sessions.watch(context.caller, {
    signal: context.signal,
    end: () => {
      // Operations that arrive while the socket closes must find no signed-in caller.
      parts.contexts.delete(connection);
      socket.close(signInAgainCode, 'Sign in again');
    },
  });
  return true;
}

function acceptUpgrades(server: Server, sockets: WebSocketServer, parts: WebSocketParts): void {
  sockets.on('wsClientError', (_, socket) => rejectHandshake(socket));
  server.on('upgrade', (request, socket, head) => {
    // Node leaves the socket to this listener, also for a rejected upgrade. An unhandled error would end the process.
    socket.on('error', (error) => parts.log.debug({ err: error }, 'a WebSocket failed'));
    const rejection = checkUpgrade(request, parts.origins);
    if (rejection !== null) {
      sendJsonAndClose(socket, rejection);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) =>
      sockets.emit('connection', webSocket, request),
    );
  });
}

/** Replaces graphql-ws's listener, which writes errors such as a message that is too large to the console. */
function replaceErrorListener(socket: WebSocket, log: Log): void {
  socket.removeAllListeners('error');
  socket.on('error', (error) => log.debug({ err: error }, 'a WebSocket failed'));
}

/**
 * True for message types that only a server sends. graphql-ws treats them as an error of its own: it closes with 4500 and
 * writes to the console. When the reviver throws, it closes with 4400, as for every invalid message.
 */
function isServerMessage(message: unknown): boolean {
  const { type } = (message ?? {}) as { type?: unknown };
  return typeof type === 'string' && ['connection_ack', 'next', 'error'].includes(type);
}

/** Why an upgrade is rejected, or null. */
function checkUpgrade({ url = '/', headers }: IncomingMessage, origins: OriginRules) {
  if (url.split('?')[0] !== '/graphql') return { status: 404, body: notFoundBody };
  if (isForeignRequest(headers, origins)) return { status: 403, body: foreignOriginBody };
  return hasToken(url) ? { status: 400, body: tokenInUrlBody } : null;
}

/** ws would reject an invalid handshake with a plain text and without security headers. */
function rejectHandshake(socket: Duplex): void {
  const body = errorBody('BAD_REQUEST', 'Invalid WebSocket handshake.');
  sendJsonAndClose(socket, { status: 400, body, headers: { 'sec-websocket-version': '13' } });
}

/**
 * The token in `connection_init`, under a name in any case, like a header. A value that is not a text counts as an invalid
 * token and not as a missing one.
 */
function authorizationIn(params: Record<string, unknown> = {}): string | null {
  const [entry] = Object.entries(params).filter(([name]) => /^authorization$/i.test(name));
  if (entry === undefined || entry[1] === null) return null;
  return typeof entry[1] === 'string' ? entry[1] : '';
}

function abortOnClose(socket: {
  once(event: 'close', listener: () => void): unknown;
}): AbortSignal {
  const closing = new AbortController();
  socket.once('close', () => closing.abort());
  return closing.signal;
}
