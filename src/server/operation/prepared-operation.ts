import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  type GraphQLSchema,
  type OperationDefinitionNode,
  visit,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { type OperationPrice, priceOperation } from '../../graphql/cost.ts';
import { OperationPlan, type Variables } from '../../graphql/execution/plan.ts';
import { coerceVariables } from './coerce-variables.ts';
import { findIntrospection } from './introspection.ts';

/** A plan with the price of its operation. */
export type PricedPlan = { plan: OperationPlan; price: OperationPrice };

type Parts = {
  schema: GraphQLSchema;
  document: DocumentNode;
  operation: OperationDefinitionNode;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  plans: PlanCache;
  hasSuggestions: boolean;
};

/** An operation that may be executed: everything that depends only on its document. */
export class PreparedOperation {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly #parts: Parts;
  /** The names of the variables in `@skip` and `@include`. */
  readonly #conditions: readonly string[];
  #introspection: readonly GraphQLError[] | undefined;

  constructor(parts: Parts) {
    this.schema = parts.schema;
    this.document = parts.document;
    this.operation = parts.operation;
    this.#parts = parts;
    this.#conditions = findConditions(parts);
  }

  get operationName(): string | undefined {
    return this.operation.name?.value;
  }

  /** The errors for a caller that may not read the schema; none if the document does not read it. */
  get introspectionErrors(): readonly GraphQLError[] {
    this.#introspection ??= findIntrospection(this.schema, this.document);
    return this.#introspection;
  }

  coerceVariables(inputs: Variables) {
    return coerceVariables(this, inputs, { hideSuggestions: !this.#parts.hasSuggestions });
  }

  /**
   * @param variables coerced
   * @throws GraphQLError if a variable of `@skip` or `@include` is null
   */
  planFor(variables: Variables): PricedPlan {
    const conditions = this.#conditions.map((name) => [name, variables[name]] as const);
    const key = JSON.stringify(conditions.map(([, value]) => value ?? null));
    const known = this.#parts.plans.get(this, key);
    if (known !== undefined) return known;
    const given = conditions.filter(([, value]) => value !== undefined);
    const plan = new OperationPlan(this.#parts, Object.fromEntries(given));
    const planned = { plan, price: priceOperation(plan) };
    // Introspection is rare, and its fields are not in the price, which limits what is cached.
    if (this.introspectionErrors.length === 0) this.#parts.plans.add(this, key, planned);
    return planned;
  }
}

function findConditions({ operation, fragments }: Parts): string[] {
  const names = new Set<string>();
  for (const definition of [operation, ...fragments.values()]) {
    visit(definition, {
      VariableDefinition: () => false,
      Directive: (directive) => {
        visit(directive, {
          Variable: ({ name }) => {
            names.add(name.value);
          },
        });
      },
    });
  }
  return [...names];
}

/** In fields. A planned and priced field needs about half a kilobyte. */
const maxCachedFields = 100_000;

/** Plans by their operation and the values of the variables in `@skip` and `@include`. */
export class PlanCache {
  readonly #plans = new LRUCache<string, PricedPlan>({
    maxSize: maxCachedFields,
    maxEntrySize: maxCachedFields / 20,
    sizeCalculation: ({ price }) => price.fieldCount + 1,
  });
  readonly #ids = new WeakMap<PreparedOperation, number>();
  #lastId = 0;

  get(operation: PreparedOperation, key: string): PricedPlan | undefined {
    const id = this.#ids.get(operation);
    return id === undefined ? undefined : this.#plans.get(`${id} ${key}`);
  }

  add(operation: PreparedOperation, key: string, plan: PricedPlan): void {
    const id = this.#ids.get(operation) ?? this.#nextId(operation);
    this.#plans.set(`${id} ${key}`, plan);
  }

  #nextId(operation: PreparedOperation): number {
    this.#lastId += 1;
    this.#ids.set(operation, this.#lastId);
    return this.#lastId;
  }
}
