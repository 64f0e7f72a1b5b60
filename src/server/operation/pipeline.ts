import { useEngine } from '@envelop/core';
import { execute, type GraphQLSchema, subscribe } from 'graphql';
import { createYoga, type YogaInitialContext, type YogaServerInstance } from 'graphql-yoga';
import type { Context } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import type { ContextFactory } from '../auth/context.ts';
import type { Sessions } from '../auth/sessions.ts';
import { createGraphiql, renderPage, usePagePolicy } from '../graphiql/page.ts';
import type { SubscriptionCallbacks } from '../sse/router-callbacks.ts';
import type { EventStreams } from '../sse/streams.ts';
import { useSharedAnswers } from './cache-control.ts';
import { useFreshContextPerEvent } from './context-per-event.ts';
import { useCharge } from './cost.ts';
import { useDocumentLimits } from './document-limits.ts';
import { type Introspection, useIntrospectionPolicy } from './introspection.ts';
import { hasLeft, mask, useMasking } from './masking.ts';
import { mostMultipartBytes, useMultipartRules } from './multipart.ts';
import { useRequestRules } from './request-params.ts';
import { useOneOperation } from './single-operation.ts';
import { type TrustedDocuments, useDocumentIds, useTrustedOnly } from './trusted-documents.ts';

export type YogaOptions = {
  schema: GraphQLSchema;
  contextOf: ContextFactory;
  sessions: Pick<Sessions, 'signIn'>;
  streams: EventStreams;
  callbacks: Pick<SubscriptionCallbacks, 'plugin'>;
  log: Log;
  graphiql: boolean;
  introspection: Introspection;
  trustedDocuments: TrustedDocuments;
  heartbeatMs?: number | undefined;
};

/** Set by the doors: how a request is named in answers and logs. */
export const requestIdHeader = 'x-request-id';

export type Yoga = YogaServerInstance<Record<string, unknown>, Context>;

/** One pipeline for all doors: what is held here is held over HTTP, SSE and WebSocket alike. */
export function createGraphQL(options: YogaOptions): Yoga {
  const { log } = options;
  const messages = { hasSuggestions: options.introspection === 'everyone' };
  const shared = useSharedAnswers();
  const yoga: Yoga = createYoga<Record<string, unknown>, Context>({
    schema: options.schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    // Any path that ends in it is answered 200, with Yoga's own banner: none does. /livez is ours.
    healthCheckEndpoint: ' ',
    batching: false,
    maxRequestBodySize: mostMultipartBytes,
    cors: false,
    logging: {
      debug: () => undefined,
      info: () => undefined,
      warn: (...args: unknown[]) => log.warn({ args: args.map(String) }, 'yoga'),
      error: (...args: unknown[]) =>
        log[args.some(hasLeft) ? 'debug' : 'error']({ args: args.map(String) }, 'yoga'),
    },
    graphiql: options.graphiql ? createGraphiql(options) : false,
    renderGraphiQL: renderPage,
    maskedErrors: { maskError: (error) => mask(error, log) },
    context: (initial) => contextOfRequest(options.contextOf, initial),
    plugins: [
      // graphql-js itself, as over WebSocket: Yoga's own executor turns a thrown meant failure into a plain Error.
      useEngine({ execute, subscribe }) as never,
      useDocumentIds(options.trustedDocuments),
      useDocumentLimits(messages) as never,
      useTrustedOnly(options.trustedDocuments) as never,
      useOneOperation() as never,
      useMasking(log) as never,
      useFreshContextPerEvent() as never,
      useIntrospectionPolicy(options.introspection) as never,
      useCharge(messages) as never,
      shared.hold as never,
      options.streams.plugin,
      options.callbacks.plugin,
      useMultipartRules(options),
      useRequestRules(log),
      usePagePolicy(),
      shared.tell,
    ],
  });
  return yoga;
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
