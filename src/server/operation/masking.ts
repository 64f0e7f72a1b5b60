import { handleStreamOrSingleExecutionResult } from '@envelop/core';
import {
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  isObjectType,
} from 'graphql';
import type { Context } from '../../graphql/context.ts';
import { failureOf, toGraphQLError } from '../../graphql/errors.ts';
import type { Log } from '../../log.ts';
import type { PipelinePlugin } from './plugin.ts';
import type { RequestErrorCode } from './request-error.ts';

const parseFailed = 'GRAPHQL_PARSE_FAILED';
const validationFailed = 'GRAPHQL_VALIDATION_FAILED';

/**
 * Decides which errors callers see, on every transport. A failure of the product keeps its code and message, and an
 * error of GraphQL itself keeps its message. Any other error is logged, and the caller sees only the request id.
 */
export function useMasking(log: Log): PipelinePlugin {
  return {
    onParse: () => (done) => {
      if (done.result instanceof GraphQLError) {
        done.replaceParseResult(addCode(done.result, parseFailed));
      }
    },
    onValidate: () => (done) => {
      if (!done.valid) done.setResult(done.result.map((error) => addCode(error, validationFailed)));
    },
    onExecute: ({ args }) => ({
      onExecuteDone: (payload) =>
        handleStreamOrSingleExecutionResult(payload, ({ result, setResult }) =>
          setResult(maskResult(result as ExecutionResult, args, log)),
        ),
    }),
    // The results of a stream are masked where they are executed.
    onSubscribe: ({ args }) => ({
      onSubscribeResult: ({ result, setResult }) =>
        setResult(maskResult(result as ExecutionResult, args, log)),
    }),
  };
}

export function maskResult(
  result: ExecutionResult,
  { contextValue, schema }: ExecutionArgs,
  log: Log,
): ExecutionResult {
  const { requestId } = contextValue as Context;
  return result.errors === undefined
    ? result
    : {
        ...result,
        errors: result.errors.map((error) => maskError(error, log, { requestId, schema })),
      };
}

/** @param schema of the operation, where the error has a path: only names of the schema are logged, not aliases */
export function maskError(
  error: unknown,
  log: Log,
  { requestId, schema }: { requestId?: string | undefined; schema?: GraphQLSchema } = {},
): GraphQLError {
  const located = error instanceof GraphQLError ? error : undefined;
  const failure = failureOf(error);
  if (failure !== null) return toGraphQLError(failure, located);
  if (located !== undefined && isFromGraphQL(located)) {
    return redactArgument(located) ?? redactValue(located);
  }
  const cause = located?.originalError ?? error;
  // A client that disconnects is not a fault of this server.
  const level = isClientDisconnect(cause) ? 'debug' : 'error';
  const position = { path: pathForLog(located, schema), locations: located?.locations };
  log[level]({ err: cause, ...position, requestId }, 'unexpected error');
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
 * Removes the value from GraphQL's message about a variable of the wrong type. graphql-js quotes the whole value, which
 * can contain a password, and clients log error messages. The name of the variable, the path in it and the expected type
 * stay.
 */
export function redactValue(error: GraphQLError): GraphQLError {
  const { message, originalError: reason } = error;
  const [, variable] = /^(Variable "\$\w+") got invalid value /.exec(message) ?? [];
  if (variable === undefined || !(reason instanceof GraphQLError)) return error;
  const [, path = ''] =
    /( at "[\w.[\]]+")$/.exec(message.slice(0, -`; ${reason.message}`.length)) ?? [];
  const expected = reason.message.replace(/ cannot represent .*/s, ' cannot represent this value.');
  const { nodes, extensions } = error;
  return new GraphQLError(`${variable} got an invalid value${path}; ${expected}`, {
    ...(nodes === undefined ? {} : { nodes }),
    extensions,
  });
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

function addCode(error: GraphQLError, code: string): GraphQLError {
  if (error.extensions.code === undefined) Object.assign(error.extensions, { code });
  return error;
}
