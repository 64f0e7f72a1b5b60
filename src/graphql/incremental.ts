import {
  type ASTVisitor,
  DirectiveLocation,
  type DirectiveNode,
  GraphQLBoolean,
  GraphQLDirective,
  GraphQLError,
  GraphQLInt,
  GraphQLNonNull,
  GraphQLSchema,
  GraphQLString,
  getNullableType,
  isListType,
  Kind,
  OperationTypeNode,
  type ValidationContext,
  visit,
} from 'graphql';

/*
 * `@defer` and `@stream` of the draft of GraphQL's specification, which graphql-js has from 17 on:
 * https://github.com/graphql/graphql-spec/pull/1110
 */

const label = { type: GraphQLString, description: 'Told with the part; a name of your own.' };

export const deferDirective = new GraphQLDirective({
  name: 'defer',
  description:
    'What the fragment selects may be told later, over multipart. Elsewhere it changes nothing.',
  locations: [DirectiveLocation.FRAGMENT_SPREAD, DirectiveLocation.INLINE_FRAGMENT],
  args: {
    if: {
      type: new GraphQLNonNull(GraphQLBoolean),
      defaultValue: true,
      description: 'False: it is told with the rest.',
    },
    label,
  },
});

export const streamDirective = new GraphQLDirective({
  name: 'stream',
  description: 'Items of the list may be told later, over multipart. Elsewhere it changes nothing.',
  locations: [DirectiveLocation.FIELD],
  args: {
    if: {
      type: new GraphQLNonNull(GraphQLBoolean),
      defaultValue: true,
      description: 'False: they are told with the rest.',
    },
    label,
    initialCount: {
      type: new GraphQLNonNull(GraphQLInt),
      defaultValue: 0,
      description: 'So many items are told with the rest.',
    },
  },
});

/**
 * The same schema for those who ask it: they see the directives, and may use them. A registry must not: a gateway takes
 * what a subgraph prints for a promise to its own callers, and answers `@defer` itself.
 */
export function withIncrementalDelivery(schema: GraphQLSchema): GraphQLSchema {
  const { directives, ...config } = schema.toConfig();
  return new GraphQLSchema({
    ...config,
    directives: [...directives, deferDirective, streamDirective],
  });
}

export function isIncremental({ name }: DirectiveNode): boolean {
  return name.value === 'defer' || name.value === 'stream';
}

/** As graphql-js 17 holds it. */
export const incrementalRules = [
  onlyOnListsRule,
  noRootOfMutationsRule,
  distinctLabelsRule,
  noSubscriptionsRule,
];

function onlyOnListsRule(context: ValidationContext): ASTVisitor {
  return {
    Directive(node) {
      const field = context.getFieldDef();
      if (node.name.value !== 'stream' || field == null) return;
      if (isListType(getNullableType(field.type))) return;
      const message = `@stream is for lists, and "${field.name}" is none.`;
      context.reportError(new GraphQLError(message, { nodes: [node] }));
    },
  };
}

/** Mutations run one after the other: none of them can be later than the rest. */
function noRootOfMutationsRule(context: ValidationContext): ASTVisitor {
  return {
    Directive(node) {
      const parent = context.getParentType();
      if (!isIncremental(node) || parent == null) return;
      if (parent !== context.getSchema().getMutationType()) return;
      const message = `@${node.name.value} can not stand at a mutation itself.`;
      context.reportError(new GraphQLError(message, { nodes: [node] }));
    },
  };
}

function distinctLabelsRule(context: ValidationContext): ASTVisitor {
  const known = new Set<string>();
  return {
    Directive(node) {
      const given = node.arguments?.find(({ name }) => name.value === 'label')?.value;
      if (!isIncremental(node) || given === undefined || given.kind === Kind.NULL) return;
      const isFresh = given.kind === Kind.STRING && !known.has(given.value);
      if (given.kind === Kind.STRING) known.add(given.value);
      if (isFresh) return;
      const message = `The label of @${node.name.value} is a text that no other has.`;
      context.reportError(new GraphQLError(message, { nodes: [node] }));
    },
  };
}

/** Each event of a subscription is one answer. */
function noSubscriptionsRule(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition(operation) {
      if (operation.operation !== OperationTypeNode.SUBSCRIPTION) return;
      const fragments = context.getRecursivelyReferencedFragments(operation);
      for (const definition of [operation, ...fragments]) {
        visit(definition, {
          Directive(node) {
            if (!isIncremental(node) || mayBeOff(node)) return;
            const message = `A subscription can not have @${node.name.value}.`;
            context.reportError(new GraphQLError(message, { nodes: [node] }));
          },
        });
      }
    },
  };
}

/** Where a variable decides, it may well be off for subscriptions. */
function mayBeOff({ arguments: given }: DirectiveNode): boolean {
  const condition = given?.find(({ name }) => name.value === 'if')?.value;
  return (
    condition?.kind === Kind.VARIABLE ||
    (condition?.kind === Kind.BOOLEAN && condition.value === false)
  );
}
