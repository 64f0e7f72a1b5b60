import { type ExecutionResult, GraphQLError, type GraphQLSchema, isObjectType } from 'graphql';
import type { Caller } from '../../graphql/context.ts';
import { failureOf, toGraphQLError } from '../../graphql/errors.ts';
import { type Log, lineShare } from '../../log.ts';
import { isTemporarilyUnavailable } from '../../unavailable.ts';
import {
  isUnavailableError,
  type RequestErrorCode,
  rejectedResult,
  unavailableError,
} from './request-error.ts';

/**
 * Decides which errors callers see, on every transport. A failure of the product keeps its code and message, and an
 * error of GraphQL itself keeps its message. Any other error is logged, and the caller sees only the request id.
 */
export function maskResult(
  result: ExecutionResult,
  { log, ...origin }: Origin & { log: Log },
): ExecutionResult {
  if (result.errors === undefined) return result;
  const errors = result.errors.map((error) => maskError(error, log, origin));
  // A result with holes would look as if the objects were missing.
  const unavailable = errors.find(isUnavailableError);
  return unavailable === undefined ? { ...result, errors } : rejectedResult([unavailable]);
}

type Origin = {
  requestId?: string | undefined;
  /** The line counts towards its owner's share of the log. */
  caller?: Pick<Caller, 'owner'> | undefined;
  /** Of the operation, where the error has a path: only names of the schema are logged, not aliases. */
  schema?: GraphQLSchema;
};

export function maskError(
  error: unknown,
  log: Log,
  { requestId, caller, schema }: Origin = {},
): GraphQLError {
  const located = error instanceof GraphQLError ? error : undefined;
  const failure = failureOf(error);
  if (failure !== null) return toGraphQLError(failure, located);
  if (located !== undefined && isFromGraphQL(located)) {
    return redactArgument(located) ?? located;
  }
  const cause = located?.originalError ?? error;
  // A client that disconnects is not a fault of this server.
  const level = isClientDisconnect(cause) ? 'debug' : 'error';
  const share = caller === undefined ? {} : { [lineShare]: caller.owner };
  if (isTemporarilyUnavailable(cause)) {
    log.warn({ err: cause, requestId, ...share }, 'the database is not available');
    return unavailableError();
  }
  const position = { path: pathForLog(located, schema), locations: located?.locations };
  log[level]({ err: cause, ...position, requestId, ...share }, 'unexpected error');
  return new GraphQLError('Something went wrong on our side.', {
    ...(located?.nodes === undefined ? {} : { nodes: located.nodes }),
    ...(located?.path === undefined ? {} : { path: located.path }),
    extensions: {
      code: 'INTERNAL_SERVER_ERROR',
      ...(requestId === undefined ? {} : { requestId }),
    },
  });
}

const fieldNames = new WeakMap<GraphQLSchema, ReadonlySet<string>>();

function fieldNamesOf(schema: GraphQLSchema): ReadonlySet<string> {
  const known = fieldNames.get(schema);
  if (known !== undefined) return known;
  const types = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type));
  const names = new Set(types.flatMap((type) => Object.keys(type.getFields())));
  fieldNames.set(schema, names);
  return names;
}

/** The path of the error, without aliases: the caller chose them. */
function pathForLog(
  error: GraphQLError | undefined,
  schema: GraphQLSchema | undefined,
): (string | number)[] | undefined {
  if (schema === undefined) return undefined;
  const names = fieldNamesOf(schema);
  return error?.path?.map((key) => (typeof key === 'number' || names.has(key) ? key : '…'));
}

/**
 * Removes the value from GraphQL's message about an argument that became invalid through its variables, such as null in a
 * nullable variable. graphql-js detects this only during execution, quotes the whole argument, and sets no code.
 */
function redactArgument(error: GraphQLError): GraphQLError | null {
  const { message, nodes, path, extensions } = error;
  if (!message.startsWith('Argument "')) return null;
  const redacted = message.replace(
    /^(Argument "\w+") has invalid value .*/s,
    '$1 has an invalid value.',
  );
  return new GraphQLError(redacted, {
    nodes: nodes ?? null,
    path: path ?? null,
    extensions: { code: 'BAD_USER_INPUT' satisfies RequestErrorCode, ...extensions },
  });
}

/** True for an abort by the request's signal, and for Node's error of a request that was cut off. */
export function isClientDisconnect(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const isCutOff = 'code' in cause && cause.code === 'ECONNRESET' && cause.message === 'aborted';
  return cause.name === 'AbortError' || isCutOff;
}

/** True where graphql-js created the error, and it does not wrap an error that our code threw. */
function isFromGraphQL(error: GraphQLError): boolean {
  const { originalError } = error;
  if (originalError === undefined || originalError === null) return true;
  return originalError instanceof GraphQLError && isFromGraphQL(originalError);
}

export function addCode(
  error: GraphQLError,
  code: 'GRAPHQL_PARSE_FAILED' | 'GRAPHQL_VALIDATION_FAILED',
): GraphQLError {
  if (error.extensions.code === undefined) Object.assign(error.extensions, { code });
  return error;
}
