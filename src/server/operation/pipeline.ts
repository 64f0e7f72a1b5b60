import { execute, type GraphQLSchema } from 'graphql';
import { createYoga, type YogaInitialContext, type YogaServerInstance } from 'graphql-yoga';
import type { Context } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import type { ContextFactory, Sessions } from '../auth/sessions.ts';
import { createGraphiql, renderPage, usePagePolicy } from '../graphiql/page.ts';
import type { RouterCallbacks } from '../sse/router-callbacks.ts';
import type { EventStreams } from '../sse/streams.ts';
import { createSubscriptions } from '../subscriptions/open.ts';
import { useSubscriptions } from '../subscriptions/plugin.ts';
import { useCacheControl } from './cache-control.ts';
import { useCost } from './cost.ts';
import { useDocumentLimits, useSingleOperation } from './document-limits.ts';
import { type Introspection, useIntrospectionPolicy } from './introspection.ts';
import { maskError, useMasking } from './masking.ts';
import { maxMultipartBytes, useMultipartRules } from './multipart.ts';
import type { PipelinePlugin, ServerContext } from './plugin.ts';
import { useRequestRules } from './request-params.ts';
import { type TrustedDocuments, useDocumentIds, useTrustedOnly } from './trusted-documents.ts';

export type PipelineOptions = {
  schema: GraphQLSchema;
  createContext: ContextFactory;
  sessions: Pick<Sessions, 'signIn' | 'isExpired'>;
  streams: Pick<EventStreams, 'plugin'>;
  callbacks: Pick<RouterCallbacks, 'plugin'>;
  log: Log;
  graphiql: boolean;
  introspection: Introspection;
  trustedDocuments: TrustedDocuments;
};

/** The HTTP server sets this header on every request and response. Errors and log lines carry its value. */
export const requestIdHeader = 'x-request-id';

export type Pipeline = YogaServerInstance<ServerContext, Context>;

/** The one pipeline of all transports: a policy here applies over HTTP, event streams and WebSockets alike. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { log } = options;
  const messages = { hasSuggestions: options.introspection === 'everyone' };
  // In the order in which a request passes them; each hook of a plugin runs at its own stage.
  const plugins: PipelinePlugin[] = [
    useGraphqlExecute(),
    useDocumentIds(options.trustedDocuments),
    useDocumentLimits(messages),
    useTrustedOnly(options.trustedDocuments),
    useSingleOperation(),
    useMasking(log),
    useSubscriptions(createSubscriptions(options)),
    useIntrospectionPolicy(options.introspection),
    useCost(messages),
    useCacheControl(),
    options.streams.plugin,
    options.callbacks.plugin,
    useMultipartRules(options),
    useRequestRules(log),
    usePagePolicy(),
  ];
  return createYoga<ServerContext, Context>({
    schema: options.schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    // Yoga answers 200 with its own banner on any path that ends in this text. No path ends in a space, so this disables
    // it: our own check is /livez.
    healthCheckEndpoint: ' ',
    batching: false,
    maxRequestBodySize: maxMultipartBytes,
    cors: false,
    logging: {
      debug: () => undefined,
      info: () => undefined,
      // `maskError` has decided on every error and logged the unexpected ones. Yoga reports also those that it only
      // replaced, and would print an error together with the document around it.
      warn: (...args: unknown[]) => log.debug({ err: args.find(isError) }, 'Yoga warns'),
      error: (...args: unknown[]) =>
        log.debug({ err: args.find(isError) }, 'Yoga reports an error'),
    },
    graphiql: options.graphiql ? createGraphiql(options) : false,
    renderGraphiQL: renderPage,
    maskedErrors: { maskError: (error) => maskError(error, log) },
    context: (initial) => findOrCreateContext(options.createContext, initial),
    plugins,
  });
}

function isError(value: unknown): value is Error {
  return value instanceof Error;
}

/** Executes with graphql-js itself: Yoga's own executor turns a thrown failure into a plain Error. */
function useGraphqlExecute(): PipelinePlugin {
  return {
    onExecute: ({ setExecuteFn }) => setExecuteFn(execute),
  };
}

/** The WebSocket transport passes the context that it created from `connection_init`. Over HTTP the headers suffice. */
function findOrCreateContext(
  createContext: ContextFactory,
  initial: YogaInitialContext & { connection?: Context },
): Promise<Context> | Context {
  if (initial.connection !== undefined) return initial.connection;
  const { headers } = initial.request;
  return createContext({
    authorization: headers.get('authorization'),
    requestId: headers.get(requestIdHeader) ?? 'unknown',
    lastEventId: headers.get('last-event-id'),
    signal: initial.request.signal,
  });
}
