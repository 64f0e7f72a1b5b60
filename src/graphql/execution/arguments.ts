import { type FieldNode, type GraphQLField, getArgumentValues, visit } from 'graphql';

export type Arguments = Record<string, unknown>;

type ArgumentsOf = (variables: Readonly<Record<string, unknown>>) => Arguments;

const noArguments: ArgumentsOf = () => ({});

/**
 * The arguments of a field by the values of the variables. Without variables in them they are coerced once. Each call
 * returns an object of its own, because a resolver may change it.
 *
 * The result throws GraphQLError if a required argument has a variable without a value.
 */
export function createArguments(
  definition: GraphQLField<unknown, unknown>,
  node: FieldNode,
): ArgumentsOf {
  if (definition.args.length === 0) return noArguments;
  if (hasVariables(node)) {
    return (variables) => getArgumentValues(definition, node, variables as Arguments);
  }
  let coerced: Arguments | undefined;
  return () => {
    coerced ??= getArgumentValues(definition, node, {});
    return { ...coerced };
  };
}

export function hasVariables({ arguments: nodes = [] }: FieldNode): boolean {
  if (nodes.length === 0) return false;
  let isFound = false;
  for (const node of nodes) {
    visit(node, {
      Variable() {
        isFound = true;
      },
    });
  }
  return isFound;
}
