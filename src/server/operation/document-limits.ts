import type { Plugin } from '@envelop/core';
import { depthLimit } from '@graphile/depth-limit';
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  parse,
  type Source,
  specifiedRules,
  type ValidationRule,
  validate,
  visit,
} from 'graphql';
import { refuse } from './request-error.ts';
import { noSkippedSubscriptionRule } from './subscription-rule.ts';

/** Documents are kept by their text once they are parsed, 1,024 of them: this bounds what that may take. */
const mostCharacters = 65_536;

/** Validating the worst document of so many takes under 0.1 s. GraphiQL asks for the schema with 184. */
const mostTokens = 1_000;

const mostAliases = 30;
const mostDirectives = 50;

/** Callers who send more mistakes than this learn nothing from the rest. */
const mostErrors = 20;

/**
 * Levels of fields that have fields of their own. The deepest document of ours has 6. A type within itself, such as a
 * lip-sync in the failure of a lip-sync, goes twice and no further.
 */
const depthRule = depthLimit({
  maxDepth: 12,
  maxListDepth: 6,
  maxSelfReferentialDepth: 2,
  // GraphiQL and code generators unwrap types nine times.
  maxDepthByFieldCoordinates: { '__Type.ofType': 9 },
  maxIntrospectionDepth: 15,
  maxIntrospectionListDepth: 4,
  revealDetails: true,
});

/**
 * How large, wide and deep a document may be. These rules come before GraphQL's own, some of which take a time that
 * grows with the square of what these limit.
 *
 * @param hasSuggestions false keeps the names of the schema out of GraphQL's messages: "Did you mean …?"
 */
export function useDocumentLimits({ hasSuggestions }: { hasSuggestions: boolean }): Plugin {
  const options = { maxErrors: mostErrors, hideSuggestions: !hasSuggestions };
  const validateWithin = (
    schema: GraphQLSchema,
    document: DocumentNode,
    rules: readonly ValidationRule[] = specifiedRules,
  ): readonly GraphQLError[] => {
    const refusal = refuseFlood(document) ?? refuseDepth(schema, document);
    if (refusal !== undefined) return [refusal];
    // By itself: the rules of GraphQL stumble over what it refuses.
    const skipped = validate(schema, document, [noSkippedSubscriptionRule], options);
    return skipped.length > 0 ? skipped : validate(schema, document, rules, options);
  };
  return {
    onParse: ({ setParseFn }) => setParseFn(parseWithin),
    onValidate: ({ setValidationFn }) => setValidationFn(validateWithin as typeof validate),
  };
}

function parseWithin(source: string | Source, options?: Parameters<typeof parse>[1]): DocumentNode {
  const { length } = typeof source === 'string' ? source : source.body;
  if (length > mostCharacters) {
    throw refuse('DOCUMENT_TOO_LARGE', `A document has at most ${mostCharacters} characters.`);
  }
  try {
    return parse(source, { ...options, maxTokens: mostTokens });
  } catch (error) {
    // The parser stops there with an error like any other, so that only its words tell.
    if (!(error instanceof GraphQLError) || !error.message.includes(`${mostTokens} tokens`))
      throw error;
    throw refuse('DOCUMENT_TOO_LARGE', `A document has at most ${mostTokens} tokens.`);
  }
}

function refuseFlood(document: DocumentNode): GraphQLError | undefined {
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
  if (aliases > mostAliases) {
    return refuse('TOO_MANY_ALIASES', `A document has at most ${mostAliases} aliases.`);
  }
  if (directives > mostDirectives) {
    return refuse('TOO_MANY_DIRECTIVES', `A document has at most ${mostDirectives} directives.`);
  }
  return undefined;
}

function refuseDepth(schema: GraphQLSchema, document: DocumentNode): GraphQLError | undefined {
  const [error] = validate(schema, document, [depthRule]);
  return error && refuse('DOCUMENT_TOO_DEEP', error.message, error.nodes);
}
