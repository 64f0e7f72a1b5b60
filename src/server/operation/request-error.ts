import { type ExecutionResult, GraphQLError } from 'graphql';
import { unavailableRetrySeconds } from '../../unavailable.ts';

/** The code of a request error: the whole request is rejected, and nothing of it is executed. The same on every transport. */
export type RequestErrorCode =
  /** The request is not a well-formed GraphQL request. */
  | 'BAD_REQUEST'
  /** The request contains several operations. */
  | 'BATCHING_REFUSED'
  | 'REQUEST_TOO_LARGE'
  /** This process already holds its maximum of multipart requests in memory. The client can retry. */
  | 'TOO_MANY_FILES'
  /** The result is a stream, and the client accepts no media type for streams. */
  | 'NOT_ACCEPTABLE'
  /** The callback URL of a router is not allowed, or did not confirm the subscription. */
  | 'CALLBACK_REFUSED'
  /** The request has the hash of a document and no document. The client sends the document. */
  | 'PERSISTED_QUERY_NOT_SUPPORTED'
  /** An event stream ended before it was complete. The client subscribes again. */
  | 'SERVER_STOPPING'
  | 'DOCUMENT_NOT_TRUSTED'
  | 'DOCUMENT_TOO_LARGE'
  | 'DOCUMENT_TOO_DEEP'
  /** Variables or literals have too many values, or a list is too long. */
  | 'VALUES_TOO_LARGE'
  | 'VALUES_TOO_DEEP'
  | 'TOO_MANY_ALIASES'
  | 'TOO_MANY_DIRECTIVES'
  /** The document has several operations and the request selects none of them. */
  | 'OPERATION_RESOLUTION_FAILURE'
  /** A variable has the wrong type. */
  | 'BAD_USER_INPUT'
  | 'INTROSPECTION_REFUSED'
  | 'COST_TOO_HIGH'
  /** The database can't be reached. The client can retry; a mutation may have been executed. */
  | 'TEMPORARILY_UNAVAILABLE'
  /** The operation was executed, and its result has too many characters. */
  | 'RESULT_TOO_LARGE';

export function requestError(
  code: RequestErrorCode,
  message: string,
  nodes?: GraphQLError['nodes'],
): GraphQLError {
  return new GraphQLError(message, { nodes: nodes ?? null, extensions: { code } });
}

export const unavailableMessage =
  'This server cannot reach its database at the moment. Retry later.';

/** 503 on HTTP, whatever the client accepts: caches and proxies must not keep the answer. */
export function unavailableError(): GraphQLError {
  return new GraphQLError(unavailableMessage, {
    extensions: {
      code: 'TEMPORARILY_UNAVAILABLE' satisfies RequestErrorCode,
      retryable: true,
      retryAfterSeconds: unavailableRetrySeconds,
      http: { status: 503, headers: { 'retry-after': `${unavailableRetrySeconds}` } },
    },
  });
}

export function isUnavailableError({ extensions }: GraphQLError): boolean {
  return extensions.code === ('TEMPORARILY_UNAVAILABLE' satisfies RequestErrorCode);
}

/** The result of an operation that was not executed: it has errors and no `data`, not even null. */
export function rejectedResult(errors: readonly GraphQLError[]): ExecutionResult {
  return { errors };
}

export function isRejectedResult(result: unknown): result is { errors: readonly GraphQLError[] } {
  if (typeof result !== 'object' || result === null || Symbol.asyncIterator in result) return false;
  const { data, errors } = result as ExecutionResult;
  return data === undefined && errors !== undefined;
}

/** Removes `extensions.http`, in which Yoga keeps the HTTP status: it is not part of the API. */
export function stripHttpExtension(errors: readonly GraphQLError[]): GraphQLError[] {
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
