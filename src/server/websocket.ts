import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { initContextCache } from '@pothos/core';
import type { ExecutionArgs, GraphQLError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { Context } from '../graphql/context.ts';
import type { Log } from '../log.ts';
import type { ContextFactory } from './context.ts';
import { mask } from './masking.ts';
import { isForeign, type OriginRules } from './origin.ts';
import { documentIdOf, resolveDocument, type TrustedDocuments } from './trusted.ts';
import type { Yoga } from './yoga.ts';

/** Larger messages than this no client has reason to send: files go by upload. */
const mostMessageBytes = 1_000_000;

type WebSocketParts = {
  yoga: Yoga;
  contextOf: ContextFactory;
  origins: OriginRules;
  trustedDocuments: TrustedDocuments;
  log: Log;
};

type Prepared = ExecutionArgs & { rootValue: ReturnType<Yoga['getEnveloped']> };

/** GraphQL over WebSocket on `/graphql` (`graphql-transport-ws`), through the same pipeline as HTTP. */
export function openWebSocketDoor(server: Server, parts: WebSocketParts) {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: mostMessageBytes });
  const connections = new WeakMap<object, Context>();
  const door = useServer(
    {
      execute: (args) => (args as Prepared).rootValue.execute(args),
      subscribe: (args) => (args as Prepared).rootValue.subscribe(args),
      // graphql-ws closes the socket over a payload without a query; one that names its document has none.
      jsonMessageReviver: (key, value: unknown) =>
        key === 'payload' && documentIdOf(value) !== undefined
          ? { query: '', ...(value as object) }
          : value,
      onConnect: async (connection) => {
        const { authorization } = connection.connectionParams ?? {};
        const context = await parts.contextOf({
          authorization: typeof authorization === 'string' ? authorization : null,
          requestId: randomUUID(),
          lastEventId: null,
          signal: abortOnClose(connection.extra.socket),
        });
        connections.set(connection, context);
        return true;
      },
      onSubscribe: (connection, _id, payload) =>
        prepare(parts, payload, connections.get(connection)),
    },
    sockets,
  );

  server.on('upgrade', (request, socket, head) => {
    const path = request.url?.split('?')[0];
    if (path !== '/graphql' || isForeign(request.headers, parts.origins)) {
      const status = path === '/graphql' ? '403 Forbidden' : '404 Not Found';
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    socket.on('error', (error) => parts.log.debug({ err: error }, 'a WebSocket broke'));
    sockets.handleUpgrade(request, socket, head, (webSocket) =>
      sockets.emit('connection', webSocket, request),
    );
  });

  return {
    /** Tells every client to come back: 1012 is "service restart". */
    async close(): Promise<void> {
      for (const socket of sockets.clients) socket.close(1012, 'Service restart');
      await door.dispose();
    },
  };
}

function abortOnClose(socket: { once(event: 'close', then: () => void): unknown }): AbortSignal {
  const leaving = new AbortController();
  socket.once('close', () => leaving.abort());
  return leaving.signal;
}

/** What to execute, or why not; each operation has a request id and loaders of its own. */
async function prepare(
  parts: WebSocketParts,
  payload: SubscribePayload,
  connected: Context | undefined,
): Promise<Prepared | readonly GraphQLError[]> {
  if (connected === undefined) throw new Error('A WebSocket subscribed before it connected.');
  const params = resolveDocument(payload, parts.trustedDocuments);
  const connection = { ...connected, ...initContextCache(), requestId: randomUUID() };
  try {
    const enveloped = parts.yoga.getEnveloped({ connection, params } as never);
    const { parse, validate, contextFactory, schema } = enveloped;
    const document = parse(params.query);
    const errors = validate(schema, document);
    if (errors.length > 0) return errors;
    return {
      schema,
      document,
      operationName: params.operationName,
      variableValues: params.variables,
      contextValue: await contextFactory(),
      rootValue: enveloped,
    };
  } catch (error) {
    return [mask(error, parts.log, connection.requestId)];
  }
}
