import { handleStreamOrSingleExecutionResult, type Plugin } from '@envelop/core';
import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Context } from '../../graphql/context.ts';
import { failureOf, toGraphQLError } from '../../graphql/errors.ts';
import type { Log } from '../../log.ts';
import type { RefusalCode } from './request-error.ts';

/** A refusal of a whole document has one code on every door. */
const parseFailed = 'GRAPHQL_PARSE_FAILED';
const validationFailed = 'GRAPHQL_VALIDATION_FAILED';

/**
 * What callers see of errors, whichever door they came through: a meant failure by its code, GraphQL's own words as
 * they are, and of anything else only the request id, under which our log has the rest.
 */
export function useMasking(log: Log): Plugin<Context> {
  const present = (result: ExecutionResult, context: Context): ExecutionResult =>
    result.errors === undefined
      ? result
      : { ...result, errors: result.errors.map((error) => mask(error, log, context.requestId)) };

  return {
    onParse: () => (done) => {
      if (done.result instanceof GraphQLError) {
        done.replaceParseResult(withCode(done.result, parseFailed));
      }
    },
    onValidate: () => (done) => {
      if (!done.valid)
        done.setResult(done.result.map((error) => withCode(error, validationFailed)));
    },
    onExecute: ({ args }) => ({
      onExecuteDone: (payload) =>
        handleStreamOrSingleExecutionResult(payload, ({ result, setResult }) =>
          setResult(present(result as ExecutionResult, args.contextValue)),
        ),
    }),
    onSubscribe: ({ args }) => ({
      onSubscribeResult: (payload) => {
        if (!(Symbol.asyncIterator in payload.result)) {
          payload.setResult(present(payload.result as ExecutionResult, args.contextValue));
        }
        return {
          onNext: ({ result, setResult }) =>
            setResult(present(result as ExecutionResult, args.contextValue)),
        };
      },
    }),
  };
}

export function mask(error: unknown, log: Log, requestId?: string): GraphQLError {
  const at = error instanceof GraphQLError ? error : undefined;
  const failure = failureOf(error);
  if (failure !== null) return toGraphQLError(failure, at);
  const isOfGraphQL = at !== undefined && isUnwrapped(at);
  if (isOfGraphQL) return argumentRefusal(at) ?? withoutValue(at);
  const cause = at?.originalError ?? error;
  // Whoever left reads no answer, and nothing is wrong here.
  const level = hasLeft(cause) ? 'debug' : 'error';
  log[level]({ err: cause, path: at?.path, requestId }, 'an unmeant error');
  return new GraphQLError('Something went wrong on our side.', {
    ...(at?.nodes === undefined ? {} : { nodes: at.nodes }),
    ...(at?.path === undefined ? {} : { path: at.path }),
    extensions: {
      code: 'INTERNAL_SERVER_ERROR',
      ...(requestId === undefined ? {} : { requestId }),
    },
  });
}

/**
 * GraphQL quotes a variable that has another shape than declared, whole and with whatever lies in it, such as a password;
 * and what callers get they also log. What is left says which variable, where in it, and what was expected.
 */
export function withoutValue(error: GraphQLError): GraphQLError {
  const { message, originalError: reason } = error;
  const [, variable] = /^(Variable "\$\w+") got invalid value /.exec(message) ?? [];
  if (variable === undefined || !(reason instanceof GraphQLError)) return error;
  const [, place = ''] =
    /( at "[\w.[\]]+")$/.exec(message.slice(0, -`; ${reason.message}`.length)) ?? [];
  const expected = reason.message.replace(/ cannot represent .*/s, ' cannot represent this value.');
  const { nodes, extensions } = error;
  return new GraphQLError(`${variable} got an invalid value${place}; ${expected}`, {
    ...(nodes === undefined ? {} : { nodes }),
    extensions,
  });
}

/**
 * An argument that only its variables made wrong, such as a null where a variable may be null: GraphQL finds that out
 * while it executes, quotes the whole argument with whatever is written in it, and gives it no code.
 */
function argumentRefusal(error: GraphQLError): GraphQLError | null {
  const { message, nodes, path, extensions } = error;
  if (!message.startsWith('Argument "')) return null;
  const told = message.replace(
    /^(Argument "\w+") has invalid value .*/s,
    '$1 has an invalid value.',
  );
  return new GraphQLError(told, {
    nodes: nodes ?? null,
    path: path ?? null,
    extensions: { code: 'BAD_USER_INPUT' satisfies RefusalCode, ...extensions },
  });
}

/** Its signal was aborted, or its request broke off, which Node says in these words. */
export function hasLeft(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const isBroken = 'code' in cause && cause.code === 'ECONNRESET' && cause.message === 'aborted';
  return cause.name === 'AbortError' || isBroken;
}

/** Whether GraphQL itself said it: nothing that our code threw is inside. */
function isUnwrapped(error: GraphQLError): boolean {
  const { originalError } = error;
  if (originalError === undefined || originalError === null) return true;
  return originalError instanceof GraphQLError && isUnwrapped(originalError);
}

function withCode(error: GraphQLError, code: string): GraphQLError {
  if (error.extensions.code === undefined) Object.assign(error.extensions, { code });
  return error;
}
