import {
  type FieldNode,
  type GraphQLObjectType,
  getNamedType,
  isAbstractType,
  isObjectType,
  type SelectionSetNode,
} from 'graphql';
import type { OperationPlan } from './plan.ts';
import { collectFields } from './selections.ts';

/**
 * The number of fields of the plan, counted without planning them: fragments in fragments can expand to more fields than
 * could be planned. Equal selections are counted once, so that the count takes time by the size of the document alone.
 */
export function countFields(plan: OperationPlan): number {
  const root = plan.schema.getRootType(plan.operation.operation);
  return root == null ? 0 : new FieldCounter(plan).count(root, [plan.operation.selectionSet]);
}

class FieldCounter {
  readonly #plan: OperationPlan;
  readonly #ids = new Map<SelectionSetNode, number>();
  readonly #counts = new Map<string, number>();

  constructor(plan: OperationPlan) {
    this.#plan = plan;
  }

  count(type: GraphQLObjectType, selectionSets: readonly SelectionSetNode[]): number {
    const key = `${type.name} ${selectionSets.map((each) => this.#idOf(each))}`;
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    let count = 0;
    for (const nodes of collectFields(this.#plan, type, selectionSets).values()) {
      count += 1 + this.#countBelow(type, nodes);
    }
    this.#counts.set(key, count);
    return count;
  }

  #countBelow(parent: GraphQLObjectType, nodes: readonly FieldNode[]): number {
    const selectionSets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
    const field = parent.getFields()[nodes[0]?.name.value ?? ''];
    if (field === undefined || selectionSets.length === 0) return 0;
    const type = getNamedType(field.type);
    const types = isAbstractType(type) ? this.#plan.schema.getPossibleTypes(type) : [type];
    return types
      .filter(isObjectType)
      .reduce((sum, each) => sum + this.count(each, selectionSets), 0);
  }

  #idOf(selectionSet: SelectionSetNode): number {
    const id = this.#ids.get(selectionSet) ?? this.#ids.size;
    this.#ids.set(selectionSet, id);
    return id;
  }
}
