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
 * Rejects `@skip` and `@include` on the root field of a subscription, as GraphQL's specification does since 2025: without
 * its root field a subscription has nothing to subscribe to. graphql-js 16 throws a TypeError for it when it subscribes,
 * or reports a missing root field when a variable decides.
 */
export function noConditionalRootRule(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition({ operation, selectionSet }) {
      if (operation !== OperationTypeNode.SUBSCRIPTION) return;
      for (const selection of rootSelections(context, selectionSet, new Set())) {
        const directive = selection.directives?.find(({ name }) =>
          /^(skip|include)$/.test(name.value),
        );
        if (directive === undefined) continue;
        const message = `The root field of a subscription cannot have @${directive.name.value}.`;
        context.reportError(new GraphQLError(message, { nodes: [directive] }));
      }
    },
  };
}

/** The selections at the root of the operation, with those of its fragments. */
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
