import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getArgumentValues,
  getDirectiveValues,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isListType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import {
  countItems,
  priceOf,
  type Sizes,
  weightOfArguments,
  weightOfMetaField,
  weightOfType,
} from './prices.ts';

/** A validated operation with coerced variables. */
export type PricedOperation = {
  schema: GraphQLSchema;
  operation: OperationDefinitionNode;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  variables: Record<string, unknown>;
};

/**
 * Maximum number of fields after fragments are expanded. A larger operation costs Infinity: counting it to the end would be
 * the work that the cost limit prevents.
 */
const maxFields = 20_000;

/**
 * The maximum cost of the operation, by `@cost` and `@listSize` in the schema. A field costs its own weight, the weight of
 * its arguments and the cost of its selection; a list costs that for each item that it can have. Without `@cost` the weight
 * is 1 for a field with a selection and 0 for other fields. An abstract type costs as much as its most expensive object.
 */
export function estimateCost(operation: PricedOperation): number {
  return costOfRoot(startWalk(operation, maxFields));
}

/**
 * The actual cost: the estimate without the list items that `data`, the result of the operation, does not contain. Null,
 * failed and missing values cost what was estimated, because they were executed: otherwise one failing field, which sets
 * `data` to null, would make every other field free. For the same reason nothing of a mutation is refunded.
 */
export function measureCost(operation: PricedOperation, data: unknown): number {
  if (operation.operation.operation === OperationTypeNode.MUTATION || !isData(data)) {
    return estimateCost(operation);
  }
  return costOfRoot(startWalk(operation, Infinity), data);
}

function startWalk(operation: PricedOperation, fieldsLeft: number): Walk {
  return { ...operation, fieldsLeft, collected: new Map(), estimates: new Map() };
}

type Data = Record<string, unknown>;
type Selections = readonly SelectionSetNode[];
/** A field as it is executed: once for all selections under the same response key. */
type Selected = { node: FieldNode; selections: SelectionSetNode[] };
type Collected = Map<string, Selected>;

type Walk = PricedOperation & {
  fieldsLeft: number;
  /** Cache of collected fields, by the identity of the selections, which all items of a list share. */
  collected: Map<Selections, Map<GraphQLObjectType, Collected>>;
  /** Cache of estimates, by the same keys, which also determine the sizes of the object's lists. */
  estimates: Map<Selections, Map<GraphQLObjectType, number>>;
};

/** Sizes of the object's lists, and its data; without data the cost is an estimate. */
type ObjectInfo = { sizes: Sizes; data: Data | undefined };

function costOfRoot(walk: Walk, data?: Data): number {
  const root = walk.schema.getRootType(walk.operation.operation);
  return root == null
    ? 0
    : costOfObject(walk, [root, [walk.operation.selectionSet]], { sizes: {}, data });
}

function costOfObject(
  walk: Walk,
  [type, selections]: [GraphQLObjectType, Selections],
  info: ObjectInfo,
): number {
  if (info.data !== undefined) return sumOfFields(walk, [type, selections], info);
  const byType = getOrAdd(walk.estimates, selections);
  const known = byType.get(type);
  if (known !== undefined) return known;
  const cost = sumOfFields(walk, [type, selections], info);
  byType.set(type, cost);
  return cost;
}

function sumOfFields(
  walk: Walk,
  [type, selections]: [GraphQLObjectType, Selections],
  { sizes, data }: ObjectInfo,
): number {
  const collected = collect(walk, type, selections);
  walk.fieldsLeft -= collected.size;
  if (walk.fieldsLeft < 0) return Infinity;
  let cost = 0;
  for (const [key, selected] of collected) {
    const size = sizes[selected.node.name.value];
    cost += costOfField(walk, [type, selected], { size, value: data?.[key] });
  }
  return cost;
}

function costOfField(
  walk: Walk,
  [parent, { node, selections }]: [GraphQLObjectType, Selected],
  known: { size: number | undefined; value: unknown },
): number {
  const field = parent.getFields()[node.name.value];
  if (field === undefined) return weightOfMetaField(node.name.value);
  const type = getNamedType(field.type);
  const args = argumentsOf(walk, field, node);
  const { items, sizes } = countItems(field, args);
  const { weight } = priceOf(field);
  const costOfItem = (data?: Data) =>
    isCompositeType(type)
      ? costOf(walk, [type, selections], { weight, sizes, data })
      : (weight ?? weightOfType(type));
  const ownCost = weightOfArguments(field, node, args);
  const values = itemsIn(field.type, known.value);
  if (values !== null) {
    return values.reduce<number>(
      (sum, each) => sum + costOfItem(isData(each) ? each : undefined),
      ownCost,
    );
  }
  const count = isListType(getNullableType(field.type)) ? (known.size ?? items) : 1;
  // 0 * Infinity is NaN.
  return ownCost + (count === 0 ? 0 : count * costOfItem());
}

/** The items of a list, also of a list of lists, or the one value of another field. Null: a list is null or missing. */
function itemsIn(type: GraphQLOutputType, value: unknown): unknown[] | null {
  const nullable = getNullableType(type);
  if (!isListType(nullable)) return [value];
  if (!Array.isArray(value)) return null;
  const lists = value.map((each) => itemsIn(nullable.ofType, each));
  return lists.includes(null) ? null : lists.flatMap((items) => items ?? []);
}

/**
 * An abstract type costs as much as the most expensive object that it can be. The data only reduces the cost of the types
 * that it can be of: an operation must not become cheaper because it returned an error of a result union.
 */
function costOf(
  walk: Walk,
  [type, selections]: [GraphQLCompositeType, Selections],
  { weight, sizes, data }: { weight: number | undefined; sizes: Sizes; data: Data | undefined },
): number {
  const types = isAbstractType(type) ? walk.schema.getPossibleTypes(type) : [type];
  const costs = types.map((each) => {
    const isOfType = data !== undefined && couldBe(data, collect(walk, each, selections), each);
    const info = { sizes, data: isOfType ? data : undefined };
    return (weight ?? weightOfType(each)) + costOfObject(walk, [each, selections], info);
  });
  return Math.max(0, ...costs);
}

/** Whether the data can be of this type. A result need not contain `__typename`, but has exactly the selected fields. */
function couldBe(data: Data, collected: Collected, type: GraphQLObjectType): boolean {
  return (
    collected.size === Object.keys(data).length &&
    [...collected].every(
      ([key, { node }]) =>
        key in data && (node.name.value !== '__typename' || data[key] === type.name),
    )
  );
}

function argumentsOf(
  { variables }: Walk,
  field: Parameters<typeof getArgumentValues>[0],
  node: FieldNode,
): Record<string, unknown> {
  try {
    return getArgumentValues(field, node, variables);
  } catch {
    // A required argument whose variable has no value. Execution reports the error.
    return {};
  }
}

function collect(walk: Walk, type: GraphQLObjectType, selections: Selections): Collected {
  const byType = getOrAdd(walk.collected, selections);
  const known = byType.get(type);
  if (known !== undefined) return known;
  const collected: Collected = new Map();
  const visited = new Set<string>();
  const visit = (selection: SelectionNode): void => {
    if (!isIncluded(selection, walk.variables)) return;
    if (selection.kind === Kind.FIELD) {
      add(collected, selection);
      return;
    }
    const fragment = fragmentOf(walk, visited, selection);
    const condition = fragment?.typeCondition?.name.value;
    if (condition !== undefined && !isOfType(walk.schema, type, condition)) return;
    fragment?.selectionSet.selections.forEach(visit);
  };
  for (const { selections: each } of selections) each.forEach(visit);
  byType.set(type, collected);
  return collected;
}

function add(collected: Collected, node: FieldNode): void {
  const key = node.alias?.value ?? node.name.value;
  const selected = collected.get(key) ?? { node, selections: [] };
  if (node.selectionSet !== undefined) selected.selections.push(node.selectionSet);
  collected.set(key, selected);
}

/** The fragment of a spread; undefined if this selection contains it already, since it adds nothing then. */
function fragmentOf(
  { fragments }: Walk,
  visited: Set<string>,
  selection: Exclude<SelectionNode, FieldNode>,
) {
  if (selection.kind === Kind.INLINE_FRAGMENT) return selection;
  const { value } = selection.name;
  if (visited.has(value)) return undefined;
  visited.add(value);
  return fragments.get(value);
}

function isIncluded(selection: SelectionNode, variables: Record<string, unknown>): boolean {
  const skip = getDirectiveValues(GraphQLSkipDirective, selection, variables);
  const include = getDirectiveValues(GraphQLIncludeDirective, selection, variables);
  return skip?.if !== true && include?.if !== false;
}

function isOfType(schema: GraphQLSchema, type: GraphQLObjectType, name: string): boolean {
  const condition = schema.getType(name);
  return condition === type || (isAbstractType(condition) && schema.isSubType(condition, type));
}

function getOrAdd<Value>(
  cache: Map<Selections, Map<GraphQLObjectType, Value>>,
  selections: Selections,
): Map<GraphQLObjectType, Value> {
  const byType = cache.get(selections) ?? new Map<GraphQLObjectType, Value>();
  cache.set(selections, byType);
  return byType;
}

function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
