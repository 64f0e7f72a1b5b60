import { depthLimit } from '@graphile/depth-limit';
import {
  type DocumentNode,
  type FieldNode,
  type FragmentSpreadNode,
  GraphQLError,
  type GraphQLSchema,
  isInterfaceType,
  Kind,
  parse,
  type SelectionSetNode,
  specifiedRules,
  validate,
  visit,
} from 'graphql';
import { noConditionalRootRule } from '../subscriptions/no-conditional-root.ts';
import { requestError } from './request-error.ts';
import { checkLiterals } from './value-limits.ts';

/** Many times the longest document of this product. It also bounds the errors of a document, which quote it. */
const maxCharacters = 65_536;

/** The worst document of this size validates in under 0.1 s. GraphiQL's introspection query has 184 tokens. */
const maxTokens = 1_000;

const maxAliases = 30;
const maxDirectives = 50;

/**
 * Pairs of fields with one response key, of which GraphQL compares each: 110 times the same field, or 80 times a field with
 * one subfield. Forty fragments that each select the same five fields of one object have 3,900. A pair takes about 2 µs.
 */
const maxFieldPairs = 6_000;

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
 * GraphQL's validation, after limits on the width and depth of the document: some of GraphQL's rules take time that grows
 * with the square of what is limited here.
 *
 * @param options.hasSuggestions false removes "Did you mean …?" from GraphQL's messages, which reveals names of the schema
 */
export function validateWithLimits(
  schema: GraphQLSchema,
  document: DocumentNode,
  { hasSuggestions }: { hasSuggestions: boolean },
): readonly GraphQLError[] {
  const error =
    checkWidth(document) ??
    checkRepetition(document) ??
    checkLiterals(document) ??
    checkDepth(schema, document);
  if (error !== undefined) return [error];
  const options = { maxErrors, hideSuggestions: !hasSuggestions };
  // First and separately: some of GraphQL's rules throw on documents that this rule rejects.
  const errors = validate(schema, document, [noConditionalRootRule], options);
  return errors.length > 0 ? errors : validate(schema, document, specifiedRules, options);
}

/** @throws GraphQLError on a syntax error and above the limits of characters and tokens */
export function parseWithLimits(query: string): DocumentNode {
  if (query.length > maxCharacters) {
    throw requestError('DOCUMENT_TOO_LARGE', `A document has at most ${maxCharacters} characters.`);
  }
  try {
    return parse(query, { maxTokens });
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

function checkRepetition(document: DocumentNode): GraphQLError | undefined {
  if (!new FieldPairs(document).exceed(maxFieldPairs)) return undefined;
  const message = 'This document selects the same fields too often. Select each field once.';
  return requestError('DOCUMENT_TOO_LARGE', message);
}

/** A field, and the selection set or fragment of which it is a part. */
type Selected = { field: FieldNode; origin: SelectionSetNode };

/**
 * Counts the pairs of fields that GraphQL compares, because they have the same response key in one object. Like GraphQL's own
 * rule it counts the pairs within a fragment once, however often the document spreads the fragment.
 */
class FieldPairs {
  readonly #document: DocumentNode;
  readonly #fragments = new Map<string, SelectionSetNode>();
  #left = 0;

  constructor(document: DocumentNode) {
    this.#document = document;
    for (const definition of document.definitions) {
      if (definition.kind !== Kind.FRAGMENT_DEFINITION) continue;
      this.#fragments.set(definition.name.value, definition.selectionSet);
    }
  }

  /** Stops above the limit, so that the count itself takes little time. */
  exceed(limit: number): boolean {
    this.#left = limit;
    visit(this.#document, {
      SelectionSet: (selectionSet, _key, parent) => {
        // The selection set around an inline fragment has its fields too.
        const isCounted = parent && 'kind' in parent && parent.kind === Kind.INLINE_FRAGMENT;
        if (!isCounted && this.#left >= 0) this.#count([selectionSet], selectionSet);
      },
    });
    return this.#left < 0;
  }

  /** @param visited its own pairs are counted now; those of the others are counted when they are visited */
  #count(origins: readonly SelectionSetNode[], visited?: SelectionSetNode): void {
    const spread = new Set<string>();
    const fields = origins.flatMap((origin) => [...this.#fieldsOf(origin, origin, spread)]);
    const groups = Map.groupBy(fields, ({ field }) => (field.alias ?? field.name).value);
    for (const group of groups.values()) {
      const pairs = countPairs(group, visited);
      this.#left -= pairs;
      if (this.#left < 0) return;
      if (pairs > 0) this.#count(group.flatMap(({ field }) => field.selectionSet ?? []));
    }
  }

  /** With the fields of fragments. */
  *#fieldsOf(
    { selections }: SelectionSetNode,
    origin: SelectionSetNode,
    spread: Set<string>,
  ): Generator<Selected> {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) yield { field: selection, origin };
      else if (selection.kind === Kind.INLINE_FRAGMENT) {
        yield* this.#fieldsOf(selection.selectionSet, origin, spread);
      } else {
        const fragment = this.#fragmentOf(selection, spread);
        if (fragment !== undefined) yield* this.#fieldsOf(fragment, fragment, spread);
      }
    }
  }

  /** Undefined: it is collected already, or does not exist. */
  #fragmentOf({ name }: FragmentSpreadNode, spread: Set<string>): SelectionSetNode | undefined {
    if (spread.has(name.value)) return undefined;
    spread.add(name.value);
    return this.#fragments.get(name.value);
  }
}

function countPairs(group: readonly Selected[], visited: SelectionSetNode | undefined): number {
  let pairs = pairsOf(group.length);
  if (pairs === 0) return 0;
  const sizes = new Map<SelectionSetNode, number>();
  for (const { origin } of group) sizes.set(origin, (sizes.get(origin) ?? 0) + 1);
  for (const [origin, size] of sizes) if (origin !== visited) pairs -= pairsOf(size);
  return pairs;
}

const pairsOf = (count: number) => (count * (count - 1)) / 2;

function checkDepth(schema: GraphQLSchema, document: DocumentNode): GraphQLError | undefined {
  const [error] = validate(schema, withObjectTypes(schema, document), [depthRule]);
  return error && requestError('DOCUMENT_TOO_DEEP', error.message, error.nodes);
}

/**
 * The document with an object type in place of each interface. The rule does not descend into the fields of an interface, so
 * that `... on CancelOutcome { lipsync { … } }` could have any depth. Each type of an interface has its fields.
 */
function withObjectTypes(schema: GraphQLSchema, document: DocumentNode): DocumentNode {
  return visit(document, {
    NamedType(node, key) {
      const type = key === 'typeCondition' ? schema.getType(node.name.value) : undefined;
      const [object] = isInterfaceType(type) ? schema.getPossibleTypes(type) : [];
      return object && { ...node, name: { ...node.name, value: object.name } };
    },
  });
}
