import { depthLimit } from '@graphile/depth-limit';
import {
  type ASTVisitor,
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  OperationTypeNode,
  parse,
  type SelectionNode,
  type SelectionSetNode,
  type Source,
  specifiedRules,
  type ValidationContext,
  type ValidationRule,
  validate,
  visit,
} from 'graphql';
import type { PipelinePlugin } from './plugin.ts';
import { requestError } from './request-error.ts';
import { checkLiterals } from './value-limits.ts';

/** Yoga caches 1,024 parsed documents with their text as the key: this bounds the memory of that cache. */
const maxCharacters = 65_536;

/** The worst document of this size validates in under 0.1 s. GraphiQL's introspection query has 184 tokens. */
const maxTokens = 1_000;

const maxAliases = 30;
const maxDirectives = 50;

/** More errors than this do not help a caller. */
const maxErrors = 20;

/**
 * Counts levels of fields that have a selection set. The deepest document of this product has 6. A type can appear twice
 * on one path, such as a lip-sync in the failure of a lip-sync, and not more often.
 */
const depthRule = depthLimit({
  maxDepth: 12,
  maxListDepth: 6,
  maxSelfReferentialDepth: 2,
  // GraphiQL and code generators unwrap types with nine levels of `ofType`.
  maxDepthByFieldCoordinates: { '__Type.ofType': 9 },
  maxIntrospectionDepth: 15,
  maxIntrospectionListDepth: 4,
  revealDetails: true,
});

/**
 * Limits the size, width and depth of documents. These checks run before GraphQL's own validation rules, because some of
 * those take time that grows with the square of what is limited here.
 *
 * @param hasSuggestions false removes "Did you mean …?" from GraphQL's messages, which reveals names of the schema
 */
export function useDocumentLimits({ hasSuggestions }: { hasSuggestions: boolean }): PipelinePlugin {
  const options = { maxErrors, hideSuggestions: !hasSuggestions };
  const validateWithLimits = (
    schema: GraphQLSchema,
    document: DocumentNode,
    rules: readonly ValidationRule[] = specifiedRules,
  ): readonly GraphQLError[] => {
    const error = checkWidth(document) ?? checkLiterals(document) ?? checkDepth(schema, document);
    if (error !== undefined) return [error];
    // First and separately: some of GraphQL's rules throw on documents that this rule rejects.
    const errors = validate(schema, document, [noConditionalSubscriptionRule], options);
    return errors.length > 0 ? errors : validate(schema, document, rules, options);
  };
  return {
    onParse: ({ setParseFn }) => setParseFn(parseWithLimits),
    onValidate: ({ setValidationFn }) => setValidationFn(validateWithLimits),
  };
}

function parseWithLimits(
  source: string | Source,
  options?: Parameters<typeof parse>[1],
): DocumentNode {
  const { length } = typeof source === 'string' ? source : source.body;
  if (length > maxCharacters) {
    throw requestError('DOCUMENT_TOO_LARGE', `A document has at most ${maxCharacters} characters.`);
  }
  try {
    return parse(source, { ...options, maxTokens });
  } catch (error) {
    // The parser throws an ordinary syntax error at the limit, which only its message identifies.
    if (!(error instanceof GraphQLError) || !error.message.includes(`${maxTokens} tokens`))
      throw error;
    throw requestError('DOCUMENT_TOO_LARGE', `A document has at most ${maxTokens} tokens.`);
  }
}

function checkWidth(document: DocumentNode): GraphQLError | undefined {
  let aliases = 0;
  let directives = 0;
  visit(document, {
    Field({ alias }) {
      if (alias !== undefined) aliases += 1;
    },
    Directive() {
      directives += 1;
    },
  });
  if (aliases > maxAliases) {
    return requestError('TOO_MANY_ALIASES', `A document has at most ${maxAliases} aliases.`);
  }
  if (directives > maxDirectives) {
    return requestError(
      'TOO_MANY_DIRECTIVES',
      `A document has at most ${maxDirectives} directives.`,
    );
  }
  return undefined;
}

function checkDepth(schema: GraphQLSchema, document: DocumentNode): GraphQLError | undefined {
  const [error] = validate(schema, document, [depthRule]);
  return error && requestError('DOCUMENT_TOO_DEEP', error.message, error.nodes);
}

/**
 * Rejects `@skip` and `@include` on the root field of a subscription, as GraphQL's specification does since 2025: without
 * its root field a subscription has nothing to subscribe to. graphql-js 16 throws a TypeError for it when it subscribes,
 * or reports a missing root field when a variable decides.
 */
function noConditionalSubscriptionRule(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition({ operation, selectionSet }) {
      if (operation !== OperationTypeNode.SUBSCRIPTION) return;
      for (const selection of rootSelections(context, selectionSet, new Set())) {
        const directive = selection.directives?.find(({ name }) =>
          /^(skip|include)$/.test(name.value),
        );
        if (directive === undefined) continue;
        const message = `The root field of a subscription can not have @${directive.name.value}.`;
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
