import { type GraphQLSchema, OperationTypeNode } from 'graphql';
import { createYoga } from 'graphql-yoga';
import type { Context } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import { readTraceContext } from '../../tracing/tracer.ts';
import type { ContextFactory, Sessions } from '../auth/sessions.ts';
import { createGraphiql, renderPage, usePagePolicy } from '../graphiql/page.ts';
import { type OperationSlots, runInSlot } from '../operation-slots.ts';
import type { RouterCallbacks } from '../sse/router-callbacks.ts';
import type { EventStreams } from '../sse/streams.ts';
import { useRequestRules } from './fetch-rules.ts';
import { maskError } from './masking.ts';
import { useMultipartRules } from './multipart.ts';
import type { PipelinePlugin, ServerContext } from './plugin.ts';
import { isRejected, type Prepare } from './prepare.ts';
import { mutationByGetError, requestIdHeader } from './request-params.ts';
import type { Run } from './run.ts';
import { type TrustedDocuments, useDocumentIds } from './trusted-documents.ts';

export type FetchHandlerParts = {
  createContext: ContextFactory;
  schema: GraphQLSchema;
  sessions: Pick<Sessions, 'signIn'>;
  streams: Pick<EventStreams, 'plugin'>;
  callbacks: Pick<RouterCallbacks, 'plugin'>;
  log: Log;
  graphiql: boolean;
  trustedDocuments: TrustedDocuments;
  prepare: Prepare;
  run: Run;
  slots: OperationSlots;
};

/** Yoga, for event streams, forms with files and GraphiQL. */
export function createFetchHandler(parts: FetchHandlerParts) {
  const { log } = parts;
  // In the order in which a request passes them; each hook of a plugin runs at its own stage.
  const plugins: PipelinePlugin[] = [
    useDocumentIds(parts.trustedDocuments),
    useOperations(parts),
    parts.streams.plugin,
    parts.callbacks.plugin,
    useMultipartRules(parts),
    useRequestRules(log),
    usePagePolicy(),
  ];
  return createYoga<ServerContext, Context>({
    graphqlEndpoint: '/graphql',
    landingPage: false,
    // Yoga answers 200 with its own banner on any path that ends in this text. No path ends in a space, so this disables
    // it: our own check is /livez.
    healthCheckEndpoint: ' ',
    batching: false,
    // `useMultipartRules` and `useRequestRules` limit it. Yoga would destroy the request, and with it the connection.
    maxRequestBodySize: false,
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
    graphiql: parts.graphiql ? createGraphiql(parts) : false,
    renderGraphiQL: renderPage,
    maskedErrors: { maskError: (error) => maskError(error, log) },
    plugins,
  });
}

function isError(value: unknown): value is Error {
  return value instanceof Error;
}

/** Prepares and runs operations in the place of Yoga, which parses, validates and executes nothing. */
function useOperations({
  prepare,
  run,
  createContext,
  slots,
  log,
}: FetchHandlerParts): PipelinePlugin {
  return {
    onParams({ setParamsHandler }) {
      setParamsHandler(async ({ params, request, context: serverContext }) => {
        const { method, headers, signal } = request;
        const prepared = prepare(params.query ?? '', params.operationName);
        if (method === 'GET' && prepared.operation?.operation === OperationTypeNode.MUTATION) {
          return { errors: [mutationByGetError()] };
        }
        if (isRejected(prepared)) return { errors: prepared.errors };
        const context = await createContext({
          authorization: headers.get('authorization'),
          requestId: headers.get(requestIdHeader) ?? 'unknown',
          trace: readTraceContext(headers.get('traceparent'), headers.get('tracestate')),
          lastEventId: headers.get('last-event-id'),
          signal,
        });
        Object.assign(serverContext, { params, caller: context.caller });
        const input = { variables: params.variables, context };
        try {
          return await runInSlot({ run, slots }, prepared, {
            ...input,
            response: serverContext.res,
          });
        } catch (thrown) {
          return { errors: [maskError(thrown, log, context)] };
        }
      });
    },
  };
}
