import { type ExecutionResult, GraphQLError } from 'graphql';

/**
 * Why a request is refused as a whole, before anything of it is executed: an error of the request with one code and one
 * message, whichever door it came through.
 */
export type RefusalCode =
  /** Not what a GraphQL request looks like. */
  | 'BAD_REQUEST'
  /** Several operations in one request. */
  | 'BATCHING_REFUSED'
  | 'REQUEST_TOO_LARGE'
  /** As many requests with files are under way as this process holds in memory at once: to be sent again later. */
  | 'TOO_MANY_FILES'
  /** The answer would be a stream, and the caller takes none. */
  | 'NOT_ACCEPTABLE'
  /** The address that a router wants its events at is none that is called, or did not answer. */
  | 'CALLBACK_REFUSED'
  | 'DOCUMENT_NOT_TRUSTED'
  | 'DOCUMENT_TOO_LARGE'
  | 'DOCUMENT_TOO_DEEP'
  | 'TOO_MANY_ALIASES'
  | 'TOO_MANY_DIRECTIVES'
  /** No operation is named, or several could be meant. */
  | 'OPERATION_RESOLUTION_FAILURE'
  /** A variable is not of its type. */
  | 'BAD_USER_INPUT'
  | 'INTROSPECTION_REFUSED'
  | 'COST_TOO_HIGH';

export function refuse(code: RefusalCode, message: string, nodes?: GraphQLError['nodes']) {
  return new GraphQLError(message, { nodes: nodes ?? null, extensions: { code } });
}

/** With a key for its data although there are none: graphql-sse takes what has none for no result. */
export function refused(errors: readonly GraphQLError[]): ExecutionResult {
  return { data: undefined, errors } as unknown as ExecutionResult;
}

/** Whether nothing was executed: then there is no data, not even null. */
export function isRefused(result: unknown): result is { errors: readonly GraphQLError[] } {
  if (typeof result !== 'object' || result === null || Symbol.asyncIterator in result) return false;
  const { data, errors } = result as ExecutionResult;
  return data === undefined && errors !== undefined;
}

/** The same errors without what Yoga put into them for the status of an HTTP answer. */
export function withoutHttp(errors: readonly GraphQLError[]): GraphQLError[] {
  return errors.map((error) => {
    if (error.extensions.http === undefined) return error;
    const { http: _, ...extensions } = error.extensions;
    return new GraphQLError(error.message, {
      nodes: error.nodes ?? null,
      source: error.source ?? null,
      positions: error.positions ?? null,
      path: error.path ?? null,
      extensions,
    });
  });
}
