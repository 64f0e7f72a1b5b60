import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import type { Context } from '../../graphql/context.ts';

/**
 * The object that Yoga passes to its HTTP hooks. It begins with Node's request and response; Yoga adds the parameters of the
 * operation and the fields of its context as soon as they are known.
 */
export type ServerContext = Partial<Context> & {
  params?: GraphQLParams;
  req: IncomingMessage;
  res: ServerResponse;
};

/**
 * One policy of the pipeline. Hooks on parsing, validation and execution run on every transport; hooks on requests,
 * results and responses run over HTTP only. Over a WebSocket the context has no `request`, although Yoga's types say so.
 */
export type PipelinePlugin = Plugin<Context, ServerContext>;
