import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Context } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import type { ContextFactory } from '../auth/context.ts';
import type { Sessions } from '../auth/sessions.ts';
import { isForeign, type OriginRules } from '../http/origin.ts';
import {
  answerSocket,
  foreignOrigin,
  nothingHere,
  refusal,
  tokenInUrl,
} from '../http/responses.ts';
import { hasToken } from '../http/url-token.ts';
import type { Yoga } from '../operation/pipeline.ts';
import { mostRequestBytes } from '../operation/request-params.ts';
import type { TrustedDocuments } from '../operation/trusted-documents.ts';
import { usualHeartbeatMs } from '../sse/heartbeat.ts';
import { endSocket, Intake } from './backpressure.ts';
import { admitPayload, type Executed, executePayload } from './operation.ts';

/**
 * Up to here a message that is too large is refused as on the other doors; over it the socket closes with 1009, since
 * that is the only way not to read it.
 */
const mostMessageBytes = 2 * mostRequestBytes;

/**
 * "Forbidden" of graphql-ws, which its clients take as a reason to come back and to ask for `connectionParams` again.
 * With 4401, the nearer word, they would give up for good.
 */
const signInAgain = 4403;

type WebSocketParts = {
  yoga: Yoga;
  contextOf: ContextFactory;
  sessions: Pick<Sessions, 'watch'>;
  origins: OriginRules;
  trustedDocuments: TrustedDocuments;
  heartbeatMs?: number | undefined;
  log: Log;
};

/** GraphQL over WebSocket on `/graphql` (`graphql-transport-ws`), through the same pipeline as HTTP. */
export function openWebSocketDoor(server: Server, parts: WebSocketParts) {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: mostMessageBytes });
  const connections = new WeakMap<object, Context>();
  const intakes = new WeakMap<object, Intake>();
  const answered = ({ extra }: { extra: { socket: object } }, id: string) =>
    intakes.get(extra.socket)?.answered(id);
  const door = useServer(
    {
      // Else the words of an error of ours would be the reason with which a socket closes.
      isProd: true,
      execute: (args) => (args as Executed).rootValue,
      subscribe: (args) => (args as Executed).rootValue,
      jsonMessageReviver(this: { type?: unknown }, key, value: unknown) {
        if (key === '' && isOfServer(value)) throw new Error('Only a server says this.');
        return key === 'payload' && this.type === 'subscribe'
          ? admitPayload(value, parts.trustedDocuments)
          : value;
      },
      onConnect: async (connection) => {
        const { socket } = connection.extra;
        const context = await parts.contextOf({
          authorization: authorizationIn(connection.connectionParams),
          requestId: randomUUID(),
          lastEventId: null,
          signal: abortOnClose(socket),
        });
        connections.set(connection, context);
        parts.sessions.watch(context.caller, {
          signal: context.signal,
          end: () => {
            // What still comes over a socket that is closing finds nobody signed in.
            connections.delete(connection);
            socket.close(signInAgain, 'Sign in again');
          },
        });
        return true;
      },
      onSubscribe: async (connection, id, payload) => {
        const isAdmitted = await intakes.get(connection.extra.socket)?.admit(id);
        if (isAdmitted !== true) return [new GraphQLError('The connection is over.')];
        const executed = await executePayload(parts, payload, connections.get(connection));
        if (!('rootValue' in executed)) answered(connection, id);
        return executed;
      },
      onNext: answered,
      onComplete: answered,
    },
    sockets,
    parts.heartbeatMs ?? usualHeartbeatMs,
  );

  sockets.on('connection', (socket) => {
    quieten(socket, parts.log);
    intakes.set(socket, new Intake(socket));
  });

  acceptUpgrades(server, sockets, parts);

  return {
    /** Tells every client to come back: 1012 is "service restart". */
    async close(): Promise<void> {
      for (const socket of sockets.clients) endSocket(socket, 1012, 'Service restart');
      await door.dispose();
    },
    /** Sent to clients that have not read it yet. */
    countUnreadBytes: () =>
      [...sockets.clients].reduce((sum, { bufferedAmount }) => sum + bufferedAmount, 0),
  };
}

function acceptUpgrades(server: Server, sockets: WebSocketServer, parts: WebSocketParts): void {
  sockets.on('wsClientError', (_, socket) => answerHandshake(socket));
  server.on('upgrade', (request, socket, head) => {
    // From here on the socket is ours alone, also where it is refused: an error that nobody hears ends the process.
    socket.on('error', (error) => parts.log.debug({ err: error }, 'a WebSocket broke'));
    const refused = refusalOf(request, parts.origins);
    if (refused !== null) {
      answerSocket(socket, refused);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) =>
      sockets.emit('connection', webSocket, request),
    );
  });
}

/** After graphql-ws, whose own way with a message that is too large is to write it to the console. */
function quieten(socket: WebSocket, log: Log): void {
  socket.removeAllListeners('error');
  socket.on('error', (error) => log.debug({ err: error }, 'a WebSocket broke'));
  forgiveSending(socket);
}

/**
 * A client that leaves while it is being answered is no fault, and `close` tells of it. graphql-ws would write it to the
 * console.
 */
function forgiveSending(socket: WebSocket): void {
  const send = socket.send.bind(socket);
  const forgiving = (data: string, sent?: () => void) => send(data, () => sent?.());
  socket.send = forgiving as typeof socket.send;
}

/**
 * graphql-ws takes such a message for a fault of its own: it closes with 4500 and writes to the console. Thrown at, it
 * closes with 4400, as for every other message that is none.
 */
function isOfServer(message: unknown): boolean {
  const { type } = (message ?? {}) as { type?: unknown };
  return typeof type === 'string' && ['connection_ack', 'next', 'error'].includes(type);
}

/** How an upgrade is refused, or null. */
function refusalOf({ url = '/', headers }: IncomingMessage, origins: OriginRules) {
  if (url.split('?')[0] !== '/graphql') return { status: 404, body: nothingHere };
  if (isForeign(headers, origins)) return { status: 403, body: foreignOrigin };
  return hasToken(url) ? { status: 400, body: tokenInUrl } : null;
}

/** ws would answer what is no handshake with a text of its own, and without the headers that protect. */
function answerHandshake(socket: Duplex): void {
  const body = refusal('BAD_REQUEST', 'This is no handshake of a WebSocket.');
  answerSocket(socket, { status: 400, body, headers: { 'sec-websocket-version': '13' } });
}

/** In any case of letters, as a header is. What is there and no text is no token, but not nothing either. */
function authorizationIn(params: Record<string, unknown> = {}): string | null {
  const [entry] = Object.entries(params).filter(([name]) => /^authorization$/i.test(name));
  if (entry === undefined || entry[1] === null) return null;
  return typeof entry[1] === 'string' ? entry[1] : '';
}

function abortOnClose(socket: { once(event: 'close', then: () => void): unknown }): AbortSignal {
  const leaving = new AbortController();
  socket.once('close', () => leaving.abort());
  return leaving.signal;
}
