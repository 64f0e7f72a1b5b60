import type { Plugin as EnvelopPlugin } from '@envelop/core';
import { useGraphQLSSE } from '@graphql-yoga/plugin-graphql-sse';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { GraphQLError, type GraphQLSchema, NoSchemaIntrospectionCustomRule } from 'graphql';
import { createYoga, type YogaInitialContext } from 'graphql-yoga';
import type { Context } from '../graphql/context.ts';
import { failureOf, toGraphQLError } from '../graphql/errors.ts';
import type { Log } from '../log.ts';
import type { ContextFactory } from './context.ts';
import { useFreshContextPerEvent } from './events.ts';
import { graphiqlOptions } from './graphiql.ts';
import type { EventStreams } from './sse.ts';

export type Introspection = 'everyone' | 'authenticated' | 'nobody';

export type YogaOptions = {
  schema: GraphQLSchema;
  contextOf: ContextFactory;
  streams: EventStreams;
  log: Log;
  graphiql: boolean;
  introspection: Introspection;
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
    graphiql: options.graphiql ? graphiqlOptions : false,
    renderGraphiQL,
    maskedErrors: { maskError: (error) => maskError(error, log) },
    context: (initial) => contextOfRequest(options.contextOf, initial),
    plugins: [
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
  });
}

/** Meant failures and GraphQL's own words pass; anything else is told to the log and hidden from the caller. */
function maskError(error: unknown, log: Log): GraphQLError {
  const at = error instanceof GraphQLError ? error : undefined;
  const failure = failureOf(error);
  if (failure !== null) return toGraphQLError(failure, at);
  if (at !== undefined && at.originalError === undefined) return at;
  if (at?.originalError instanceof GraphQLError) return at;
  log.error({ err: at?.originalError ?? error, path: at?.path }, 'an unmeant error');
  return new GraphQLError('Something went wrong on our side. The request id names it in our log.', {
    ...(at?.nodes === undefined ? {} : { nodes: at.nodes }),
    ...(at?.path === undefined ? {} : { path: at.path }),
    extensions: { code: 'INTERNAL_SERVER_ERROR' },
  });
}

/** Who may ask for the schema. Names stay secret from nobody who can run an operation; this keeps crawlers out. */
function useIntrospectionPolicy(policy: Introspection): EnvelopPlugin<Context> {
  return {
    onValidate({ addValidationRule, context }) {
      const { caller } = context as unknown as Context;
      const mayAsk =
        policy === 'everyone' || (policy === 'authenticated' && caller?.isAuthenticated);
      if (!mayAsk) addValidationRule(NoSchemaIntrospectionCustomRule);
    },
  };
}
