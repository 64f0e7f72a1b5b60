import { useEngine } from '@envelop/core';
import { useGraphQLSSE } from '@graphql-yoga/plugin-graphql-sse';
import { execute, type GraphQLSchema, subscribe } from 'graphql';
import { createYoga, type YogaInitialContext } from 'graphql-yoga';
import type { Context } from '../graphql/context.ts';
import type { Log } from '../log.ts';
import type { ContextFactory } from './context.ts';
import { useFreshContextPerEvent } from './events.ts';
import { createGraphiql, renderPage } from './graphiql.ts';
import { type Introspection, useIntrospectionPolicy } from './introspection.ts';
import { mask, useMasking } from './masking.ts';
import type { EventStreams } from './sse.ts';
import { type TrustedDocuments, useDocumentIds, useTrustedOnly } from './trusted.ts';

export type YogaOptions = {
  schema: GraphQLSchema;
  contextOf: ContextFactory;
  streams: EventStreams;
  log: Log;
  graphiql: boolean;
  introspection: Introspection;
  trustedDocuments: TrustedDocuments;
};

/** Set by the doors: how a request is named in answers and logs. */
export const requestIdHeader = 'x-request-id';

export type Yoga = ReturnType<typeof createGraphQL>;

/** One pipeline for all doors: what is held here is held over HTTP, SSE and WebSocket alike. */
export function createGraphQL(options: YogaOptions) {
  const { log } = options;
  return createYoga<Record<string, unknown>, Context>({
    schema: options.schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    batching: false,
    cors: false,
    logging: {
      debug: () => undefined,
      info: () => undefined,
      warn: (...args: unknown[]) => log.warn({ args: args.map(String) }, 'yoga'),
      error: (...args: unknown[]) => log.error({ args: args.map(String) }, 'yoga'),
    },
    graphiql: options.graphiql ? createGraphiql(options) : false,
    renderGraphiQL: renderPage,
    maskedErrors: { maskError: (error) => mask(error, log) },
    context: (initial) => contextOfRequest(options.contextOf, initial),
    plugins: [
      // graphql-js itself, as over WebSocket: Yoga's own executor turns a thrown meant failure into a plain Error.
      useEngine({ execute, subscribe }) as never,
      useDocumentIds(options.trustedDocuments),
      useTrustedOnly(options.trustedDocuments) as never,
      useMasking(log) as never,
      useFreshContextPerEvent() as never,
      useIntrospectionPolicy(options.introspection) as never,
      options.streams.plugin,
      useGraphQLSSE({ endpoint: '/graphql/stream' }),
    ],
  });
}

/** The WebSocket door brings its context ready made; over HTTP it is made from the request. */
function contextOfRequest(
  contextOf: ContextFactory,
  initial: YogaInitialContext & { connection?: Context },
): Promise<Context> | Context {
  if (initial.connection !== undefined) return initial.connection;
  const { headers } = initial.request;
  return contextOf({
    authorization: headers.get('authorization'),
    requestId: headers.get(requestIdHeader) ?? 'unknown',
    lastEventId: headers.get('last-event-id'),
    signal: initial.request.signal,
  });
}
