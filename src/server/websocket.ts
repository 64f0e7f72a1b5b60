import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { initContextCache } from '@pothos/core';
import type { ExecutionArgs } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { Context } from '../graphql/context.ts';
import type { Log } from '../log.ts';
import type { ContextFactory } from './context.ts';
import { mask } from './masking.ts';
import { isForeign, type OriginRules } from './origin.ts';
import type { Yoga } from './yoga.ts';

/** Larger messages than this no client has reason to send: files go by upload. */
const mostMessageBytes = 1_000_000;

type Enveloped = Pick<ExecutionArgs, 'rootValue'> & { rootValue: ReturnType<Yoga['getEnveloped']> };

/** GraphQL over WebSocket on `/graphql` (`graphql-transport-ws`), through the same pipeline as HTTP. */
export function openWebSocketDoor(
  server: Server,
  parts: { yoga: Yoga; contextOf: ContextFactory; origins: OriginRules; log: Log },
) {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: mostMessageBytes });
  const connections = new WeakMap<object, Context>();

  const door = useServer(
    {
      execute: (args) => (args as Enveloped).rootValue.execute(args),
      subscribe: (args) => (args as Enveloped).rootValue.subscribe(args),
      onConnect: async (connection) => {
        const { authorization } = connection.connectionParams ?? {};
        const context = await parts.contextOf({
          authorization: typeof authorization === 'string' ? authorization : null,
          requestId: randomUUID(),
          lastEventId: null,
        });
        connections.set(connection, context);
        return true;
      },
      onSubscribe: async (connection, _id, params) => {
        const context = connections.get(connection);
        if (context === undefined) throw new Error('A WebSocket subscribed before it connected.');
        const enveloped = parts.yoga.getEnveloped({
          connection: { ...context, ...initContextCache(), requestId: randomUUID() },
          params,
        } as never);
        try {
          const { parse, validate, contextFactory, execute, subscribe, schema } = enveloped;
          const contextValue = await contextFactory();
          const document = parse(params.query);
          const errors = validate(schema, document);
          if (errors.length > 0) return errors;
          return {
            schema,
            document,
            operationName: params.operationName,
            variableValues: params.variables,
            contextValue,
            rootValue: { execute, subscribe },
          };
        } catch (error) {
          return [mask(error, parts.log, context.requestId)];
        }
      },
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
