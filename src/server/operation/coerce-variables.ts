import {
  coerceInputValue,
  type GraphQLError,
  type GraphQLInputType,
  type GraphQLSchema,
  isInputType,
  isNonNullType,
  type OperationDefinitionNode,
  typeFromAST,
  type VariableDefinitionNode,
  valueFromAST,
} from 'graphql';
import { requestError } from './request-error.ts';

/** The same limit as in graphql-js's own execution: more errors than this do not help a caller. */
const maxErrors = 50;

type Values = Record<string, unknown>;

/**
 * Coerces the variables as graphql-js's `getVariableValues` does, but with messages that contain no value. graphql-js quotes
 * the value in each message, with everything beside it, which takes a fifth of a second for fifty errors next to a long
 * text; and a quoted value can be a secret.
 */
export function coerceVariables(
  { schema, operation }: { schema: GraphQLSchema; operation: OperationDefinitionNode },
  inputs: Readonly<Values>,
  { hideSuggestions }: { hideSuggestions: boolean },
): { coerced: Values } | { errors: readonly GraphQLError[] } {
  const coerced: Values = Object.create(null);
  const errors: GraphQLError[] = [];
  for (const definition of operation.variableDefinitions ?? []) {
    const name = definition.variable.name.value;
    const type = typeFromAST(schema, definition.type);
    // Validation has rejected other types.
    if (!isInputType(type)) continue;
    const reject = (problem: string) => {
      if (errors.length <= maxErrors) errors.push(inputError(name, problem, definition));
    };
    const isGiven = Object.hasOwn(inputs, name);
    const problem = findMissing(type, { isGiven, value: inputs[name], definition });
    if (problem !== undefined) reject(problem);
    else if (isGiven) {
      const onError: OnError = (path, _, { message }) => {
        const at = path.length === 0 ? '' : ` at "${name}${path.map(toStep).join('')}"`;
        reject(` got an invalid value${at}; ${withoutValue(message)}`);
      };
      coerced[name] = coerceInputValue(inputs[name], type, onError, hideSuggestions);
    } else if (definition.defaultValue !== undefined) {
      coerced[name] = valueFromAST(definition.defaultValue, type);
    }
  }
  return errors.length === 0 ? { coerced } : { errors: limitErrors(errors) };
}

function findMissing(
  type: GraphQLInputType,
  given: { isGiven: boolean; value: unknown; definition: VariableDefinitionNode },
): string | undefined {
  if (!isNonNullType(type)) return undefined;
  if (given.isGiven) {
    return given.value === null ? ` of non-null type "${type}" must not be null.` : undefined;
  }
  return given.definition.defaultValue === undefined
    ? ` of required type "${type}" was not provided.`
    : undefined;
}

type OnError = Parameters<typeof coerceInputValue>[2];

const toStep = (key: string | number) => (typeof key === 'number' ? `[${key}]` : `.${key}`);

/** A scalar quotes its value after these words. */
function withoutValue(message: string): string {
  return message.replace(/ cannot represent .*/s, ' cannot represent this value.');
}

function limitErrors(errors: readonly GraphQLError[]): readonly GraphQLError[] {
  if (errors.length <= maxErrors) return errors;
  const message = 'Too many errors processing variables, error limit reached. Execution aborted.';
  return [...errors.slice(0, maxErrors), requestError('BAD_USER_INPUT', message)];
}

function inputError(name: string, problem: string, definition: VariableDefinitionNode) {
  return requestError('BAD_USER_INPUT', `Variable "$${name}"${problem}`, [definition]);
}
