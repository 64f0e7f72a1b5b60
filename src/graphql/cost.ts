import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
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
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import {
  countItems,
  priceOf,
  type Sizes,
  weightOfArguments,
  weightOfMeta,
  weightOfType,
} from './prices.ts';

/** An operation that was validated, with its variables coerced. */
export type PricedOperation = {
  schema: GraphQLSchema;
  operation: OperationDefinitionNode;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  variables: Record<string, unknown>;
};

/**
 * Fields that an operation may have once its fragments are spread out. Beyond this it costs Infinity: to go on counting
 * would be the very work that a limit is to spare us.
 */
const maxFields = 20_000;

/**
 * What the operation costs at most, by the `@cost` and `@listSize` of the schema. A field costs its weight and that of
 * its arguments, and what is selected of it; a list so many times that as it may have items. A weight that is not
 * written is 1 for what has fields, and 0 for the rest. Of an abstract type the dearest object counts.
 */
export function estimateCost(operation: PricedOperation): number {
  return costOfRoot({ ...operation, fieldsLeft: maxFields, collected: new Map() });
}

/** What it came to, by the same weights and the items that there were. `data` is the result's own. */
export function measureCost(operation: PricedOperation, data: unknown): number {
  if (!isData(data)) return 0;
  return costOfRoot({ ...operation, fieldsLeft: Infinity, collected: new Map() }, data);
}

type Data = Record<string, unknown>;
type Selections = readonly SelectionSetNode[];
/** A field as it is executed: once, for all places that select it under its response key. */
type Selected = { node: FieldNode; selections: SelectionSetNode[] };
type Collected = Map<string, Selected>;

type Walk = PricedOperation & {
  fieldsLeft: number;
  /** By the identity of the selections, which all items of a list share. */
  collected: Map<Selections, Map<GraphQLObjectType, Collected>>;
};

/** What is known of an object beside its type; without data the cost is an estimate. */
type Known = { sizes: Sizes; data: Data | undefined };

function costOfRoot(walk: Walk, data?: Data): number {
  const root = walk.schema.getRootType(walk.operation.operation);
  return root == null
    ? 0
    : costOfObject(walk, [root, [walk.operation.selectionSet]], { sizes: {}, data });
}

function costOfObject(
  walk: Walk,
  [type, selections]: [GraphQLObjectType, Selections],
  { sizes, data }: Known,
): number {
  const collected = collect(walk, type, selections);
  walk.fieldsLeft -= collected.size;
  if (walk.fieldsLeft < 0) return Infinity;
  let cost = 0;
  for (const [key, selected] of collected) {
    if (data !== undefined && !(key in data)) continue;
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
  if (field === undefined) return weightOfMeta(node.name.value);
  const type = getNamedType(field.type);
  const args = argumentsOf(walk, field, node);
  const { items, sizes } = countItems(field, args);
  const { weight } = priceOf(field);
  const costOfOne = (data?: Data | null) =>
    isCompositeType(type)
      ? costOf(walk, [type, selections], { weight, sizes, data })
      : (weight ?? weightOfType(type));
  const once = weightOfArguments(field, node, args);
  if (known.value !== undefined) {
    const values = Array.isArray(known.value) ? known.value.flat(Infinity) : [known.value];
    return values.reduce((sum, each) => sum + costOfOne(isData(each) ? each : null), once);
  }
  const count = isListType(getNullableType(field.type)) ? (known.size ?? items) : 1;
  // Zero times Infinity would be no number.
  return once + (count === 0 ? 0 : count * costOfOne());
}

/** Of an abstract type what the dearest object costs, of those that it may be. Null is none, and was looked for. */
function costOf(
  walk: Walk,
  [type, selections]: [GraphQLCompositeType, Selections],
  {
    weight,
    sizes,
    data,
  }: { weight: number | undefined; sizes: Sizes; data: Data | null | undefined },
): number {
  const all = isAbstractType(type) ? walk.schema.getPossibleTypes(type) : [type];
  const fitting =
    data == null ? all : all.filter((each) => mayBe(data, collect(walk, each, selections), each));
  const costs = fitting.map(
    (each) =>
      (weight ?? weightOfType(each)) +
      (data === null ? 0 : costOfObject(walk, [each, selections], { sizes, data })),
  );
  return Math.max(0, ...costs);
}

/** Whether this may be an object of the type: a result needn't tell, but it has exactly the fields that were selected. */
function mayBe(data: Data, collected: Collected, type: GraphQLObjectType): boolean {
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
    // A required argument whose variable has no value: the field fails, and that is told by its execution.
    return {};
  }
}

function collect(walk: Walk, type: GraphQLObjectType, selections: Selections): Collected {
  const byType = walk.collected.get(selections) ?? new Map<GraphQLObjectType, Collected>();
  walk.collected.set(selections, byType);
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

/** What a spread names, the first time; later ones in the same selection add nothing. */
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

function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
