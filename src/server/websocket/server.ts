import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { handleProtocols, makeServer, type Context as ProtocolContext } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import { isAdmitted } from '../../graphql/access.ts';
import type { Context } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import type { ContextFactory, Sessions } from '../auth/sessions.ts';
import { checkSender, hasToken, type SenderRules } from '../http/head-checks.ts';
import { errorBody, notFoundBody, sendJsonAndClose, tokenInUrlBody } from '../http/responses.ts';
import type { Pipeline } from '../operation/pipeline.ts';
import type { TrustedDocuments } from '../operation/trusted-documents.ts';
import { newRequestId } from '../request-id.ts';
import { PayloadStream } from '../subscriptions/payload-stream.ts';
import { Backpressure, closeSocket } from './backpressure.ts';
import { type Extra, SignInLimits, serveConnection } from './connection.ts';
import { SocketDelivery } from './delivery.ts';
import { defaultSocketLimits, SocketCounter, type SocketLimits } from './limits.ts';
import { maxMessageBytes } from './messages.ts';
import { type ExecutedOperation, executePayload, traceIn } from './operation.ts';

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
  senders: SenderRules;
  trustedDocuments: TrustedDocuments;
  heartbeatMs?: number | undefined;
  /** Default: `defaultSocketLimits`. */
  limits?: SocketLimits | undefined;
  log: Log;
};

/** Serves GraphQL over WebSocket on `/graphql` (`graphql-transport-ws`), through the same pipeline as HTTP. */
export function attachWebSocketServer(server: Server, parts: WebSocketParts) {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxMessageBytes,
    handleProtocols,
  });
  const counter = new SocketCounter(parts.limits ?? defaultSocketLimits);
  const contexts = new WeakMap<object, Context>();
  const backpressures = new WeakMap<object, Backpressure>();
  const open = new Set<object>();
  const release = ({ extra }: { extra: { socket: object } }, id: string) =>
    backpressures.get(extra.socket)?.release(id);
  const protocol = makeServer<Record<string, unknown>, Extra>({
    execute: (args) => (args as ExecutedOperation).rootValue as ExecutionResult,
    subscribe: (args) => (args as ExecutedOperation).rootValue,
    onConnect: (connection) => signIn(connection, { ...parts, contexts, counter }),
    onSubscribe: async (connection, id, payload) => {
      const mayStart = await backpressures.get(connection.extra.socket)?.waitForTurn(id);
      if (mayStart !== true) return [new GraphQLError('The connection is closed.')];
      const executed = await executePayload(parts, payload, contexts.get(connection));
      // An open subscription can have no event for hours, and must not delay the operations after it. The number of open
      // subscriptions has a limit of its own.
      if (!('rootValue' in executed) || executed.rootValue instanceof PayloadStream) {
        release(connection, id);
      }
      return executed;
    },
    onOperation: (...[{ extra }, id, , , result]) => {
      const { socket } = extra;
      const backpressure = backpressures.get(socket);
      if (!(result instanceof PayloadStream) || backpressure === undefined) return undefined;
      return new SocketDelivery(result, { socket, id, backpressure, open, log: parts.log });
    },
    onNext: release,
    onComplete: release,
  });

  sockets.on('connection', (socket, request) => {
    socket.on('error', (error) => parts.log.debug({ err: error }, 'a WebSocket failed'));
    const limits = new SignInLimits(socket, request);
    backpressures.set(socket, new Backpressure(socket, () => limits.isAdmitted));
    counter.add(socket);
    serveConnection(protocol, { socket, limits }, parts);
  });

  acceptUpgrades(server, sockets, parts);

  return {
    /** Signals every client to reconnect: 1012 is "service restart". */
    async close(): Promise<void> {
      for (const socket of sockets.clients) closeSocket(socket, 1012, 'Service restart');
      sockets.removeAllListeners();
      await new Promise<void>((resolve) => sockets.close(() => resolve()));
    },
    countStreams: () => open.size,
    /** Bytes that were sent to clients and that they have not read yet. */
    countUnreadBytes: () =>
      [...sockets.clients].reduce((sum, { bufferedAmount }) => sum + bufferedAmount, 0),
  };
}

type Connection = ProtocolContext<Record<string, unknown>, Extra>;

/** Authenticates a connection by `connection_init`. False: it is rejected. */
async function signIn(
  connection: Connection,
  parts: WebSocketParts & { contexts: WeakMap<object, Context>; counter: SocketCounter },
): Promise<boolean> {
  const { socket, limits } = connection.extra;
  const context = await parts.createContext({
    authorization: authorizationIn(connection.connectionParams),
    requestId: newRequestId(),
    trace: traceIn(connection.connectionParams),
    lastEventId: null,
    signal: abortOnClose(socket),
  });
  if (!parts.counter.signIn(socket, context.caller, context.signal)) {
    closeSocket(socket, tooManyConnectionsCode, 'Too many connections');
    return false;
  }
  parts.contexts.set(connection, context);
  parts.sessions.watch(context.caller, {
    signal: context.signal,
    end: () => {
      // Operations that arrive while the socket closes must find no signed-in caller.
      parts.contexts.delete(connection);
      closeSocket(socket, signInAgainCode, 'Sign in again');
    },
  });
  limits.acknowledge({ isAdmitted: isAdmitted(context.caller) });
  return true;
}

function acceptUpgrades(server: Server, sockets: WebSocketServer, parts: WebSocketParts): void {
  // Shared by all upgrades: a function of each would keep its request and headers in memory for as long as the socket is open.
  const logFailure = (error: Error) => parts.log.debug({ err: error }, 'a WebSocket failed');
  sockets.on('wsClientError', (_, socket) => rejectHandshake(socket));
  server.on('upgrade', (request, socket, head) => {
    // Node leaves the socket to this listener, also for a rejected upgrade. An unhandled error would end the process.
    socket.on('error', logFailure);
    const rejection = checkUpgrade(request, parts.senders);
    if (rejection !== null) {
      sendJsonAndClose(socket, rejection);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) =>
      sockets.emit('connection', webSocket, request),
    );
  });
}

/** Why an upgrade is rejected, or null. */
function checkUpgrade(request: IncomingMessage, senders: SenderRules) {
  const rejection = checkSender(request, senders);
  if (rejection !== null) return rejection;
  const { url = '/' } = request;
  // As over HTTP, with or without the slash at its end.
  if (!/^\/graphql\/?(\?|$)/.test(url)) return { status: 404, body: notFoundBody };
  return hasToken(url) ? { status: 400, body: tokenInUrlBody } : null;
}

/** ws would reject an invalid handshake with a plain text and without security headers. */
function rejectHandshake(socket: Duplex): void {
  const body = errorBody('BAD_REQUEST', 'Invalid WebSocket handshake.');
  sendJsonAndClose(socket, { status: 400, body, headers: { 'sec-websocket-version': '13' } });
}

/** Matches no scheme. */
const invalidAuthorization = 'not a text';

/**
 * The token in `connection_init`, under a name in any case, like a header. A value that is not a text counts as an invalid
 * token and not as a missing one.
 */
function authorizationIn(params: Record<string, unknown> = {}): string | null {
  const [entry] = Object.entries(params).filter(([name]) => /^authorization$/i.test(name));
  if (entry === undefined || entry[1] === null) return null;
  return typeof entry[1] === 'string' ? entry[1] : invalidAuthorization;
}

function abortOnClose(socket: {
  once(event: 'close', listener: () => void): unknown;
}): AbortSignal {
  const closing = new AbortController();
  socket.once('close', () => closing.abort());
  return closing.signal;
}
