import {
  type ASTVisitor,
  GraphQLError,
  Kind,
  OperationTypeNode,
  type SelectionNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/**
 * A subscription to one thing can't be one to nothing. GraphQL's specification says so since 2025; graphql-js 16 meets
 * it with a TypeError when it subscribes, and with an error of its rule for the one field where a variable decides.
 */
export function noSkippedSubscriptionRule(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition({ operation, selectionSet }) {
      if (operation !== OperationTypeNode.SUBSCRIPTION) return;
      for (const selection of rootSelections(context, selectionSet, new Set())) {
        const directive = selection.directives?.find(({ name }) =>
          /^(skip|include)$/.test(name.value),
        );
        if (directive === undefined) continue;
        const message = `A subscription's own field can not have @${directive.name.value}.`;
        context.reportError(new GraphQLError(message, { nodes: [directive] }));
      }
    },
  };
}

/** Those of the operation itself, in fragments too. */
function rootSelections(
  context: ValidationContext,
  { selections }: SelectionSetNode,
  visited: Set<string>,
): SelectionNode[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection];
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return [selection, ...rootSelections(context, selection.selectionSet, visited)];
    }
    const { value } = selection.name;
    const fragment = visited.has(value) ? null : context.getFragment(value);
    visited.add(value);
    return fragment == null
      ? [selection]
      : [selection, ...rootSelections(context, fragment.selectionSet, visited)];
  });
}
