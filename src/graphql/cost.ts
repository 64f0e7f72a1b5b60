import {
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  getNullableType,
  isListType,
  OperationTypeNode,
} from 'graphql';
import { hasVariables } from './execution/arguments.ts';
import { countFields } from './execution/count-fields.ts';
import type { FieldPlan, ObjectPlan, OperationPlan, Variables } from './execution/plan.ts';
import {
  countItems,
  priceOf,
  type Sizes,
  weightOfArguments,
  weightOfMetaField,
  weightOfType,
} from './prices.ts';

/**
 * Maximum number of fields after fragments are expanded. A larger operation costs Infinity, because planning all of its
 * fields would itself take too long.
 */
const maxFields = 20_000;

export type OperationPrice = {
  /** The number of its fields. */
  fieldCount: number;
  /**
   * The maximum cost of the operation, by `@cost` and `@listSize` in the schema. A field costs its own weight, the weight
   * of its arguments and the cost of its selection; a list costs that for each item that it can have. Without `@cost` the
   * weight is 1 for a field with a selection and 0 for other fields. An abstract type costs as much as its most expensive
   * object.
   */
  estimate(variables: Variables): number;
  /**
   * The actual cost: the estimate without the list items that `data`, the result of the operation, does not contain. Null,
   * failed and missing values cost what was estimated, because they were executed: otherwise one failing field, which sets
   * `data` to null, would make every other field free. For the same reason nothing of a mutation is refunded.
   */
  measure(variables: Variables, data: unknown): number;
  /** The actual cost of one more event of a subscription: what `measure` says, without the weight of its root field. */
  measureEvent(variables: Variables, data: unknown): number;
};

/**
 * The price of an operation as a function of its variables.
 *
 * @throws GraphQLError like `OperationPlan.root`
 */
export function priceOperation(plan: OperationPlan): OperationPrice {
  const fieldCount = countFields(plan);
  if (fieldCount > maxFields) {
    return {
      fieldCount,
      estimate: () => Infinity,
      measure: () => Infinity,
      measureEvent: () => Infinity,
    };
  }
  const root = priceObject(plan.root);
  const { operation } = plan.operation;
  const estimate = (variables: Variables) => estimateObject(root, noSizes, variables);
  return {
    fieldCount,
    estimate,
    measure: (variables, data) =>
      operation === OperationTypeNode.MUTATION || !isData(data)
        ? estimate(variables)
        : measureObject(root, { sizes: noSizes, variables }, data),
    measureEvent: (variables, data) => measureEvent(root, variables, isData(data) ? data : {}),
  };
}

type Data = Record<string, unknown>;

/** The weight and size of a field with given arguments. */
type ArgumentPrice = { ownCost: number; items: number; sizes: Sizes };

type FieldPrice = {
  key: string;
  name: string;
  type: GraphQLOutputType;
  isList: boolean;
  argumentPrice: (variables: Variables) => ArgumentPrice;
  /** The objects that the field, or an item of its list, can be. None: it is a scalar or an enum value. */
  objects: readonly { weight: number; object: ObjectPrice }[];
  /** The cost of a scalar or an enum value. */
  leafWeight: number;
  /** Whether the data can lower the cost: it is a list, or contains one. */
  dependsOnData: boolean;
};

type ObjectPrice = {
  type: GraphQLObjectType;
  keys: readonly string[];
  /** The response keys of `__typename`. */
  typenameKeys: readonly string[];
  fields: readonly FieldPrice[];
  dependsOnData: boolean;
};

const noSizes: Sizes = {};

function priceObject({ type, fields }: ObjectPlan): ObjectPrice {
  const priced = fields.map(priceField);
  return {
    type,
    keys: fields.map(({ key }) => key),
    typenameKeys: fields.filter(({ typename }) => typename !== null).map(({ key }) => key),
    fields: priced,
    dependsOnData: priced.some(({ dependsOnData }) => dependsOnData),
  };
}

function priceField(field: FieldPlan): FieldPrice {
  const { key, definition, parentType } = field;
  const { name, type } = definition;
  const isList = isListType(getNullableType(type));
  const common = { key, name, type, isList };
  if (parentType.getFields()[name] === undefined) {
    const price = { ownCost: weightOfMetaField(name), items: 1, sizes: noSizes };
    const flat = { isList: false, objects: [], leafWeight: 0, dependsOnData: false };
    return { ...common, ...flat, argumentPrice: () => price };
  }
  const { weight } = priceOf(definition);
  const objects = field.possibleTypes.map((each) => ({
    weight: weight ?? weightOfType(each),
    object: priceObject(field.objectOf(each)),
  }));
  const leafWeight = objects.length > 0 ? 0 : (weight ?? weightOfType(getNamedType(type)));
  const dependsOnData =
    objects.some(({ object }) => object.dependsOnData) ||
    (isList && (leafWeight > 0 || objects.length > 0));
  return { ...common, objects, leafWeight, dependsOnData, argumentPrice: priceArguments(field) };
}

/** Of fields without arguments. */
const fixedPrices = new WeakMap<FieldPlan['definition'], ArgumentPrice>();

/** Computed once if no argument has a variable. */
function priceArguments(field: FieldPlan): (variables: Variables) => ArgumentPrice {
  const [node] = field.nodes;
  const { definition } = field;
  if (node === undefined) throw new Error('A field has no selection.');
  const compute = (variables: Variables): ArgumentPrice => {
    const args = argumentsOf(field, variables);
    return { ownCost: weightOfArguments(definition, node, args), ...countItems(definition, args) };
  };
  if (hasVariables(node)) return compute;
  const isFixed = definition.args.length === 0;
  const price = (isFixed ? fixedPrices.get(definition) : undefined) ?? compute({});
  if (isFixed) fixedPrices.set(definition, price);
  return () => price;
}

function argumentsOf(field: FieldPlan, variables: Variables): Record<string, unknown> {
  try {
    return field.argumentsOf(variables);
  } catch {
    // A required argument whose variable has no value. Execution reports the error.
    return {};
  }
}

function estimateObject({ fields }: ObjectPrice, sizes: Sizes, variables: Variables): number {
  let cost = 0;
  for (const field of fields) cost += estimateField(field, sizes, variables);
  return cost;
}

function estimateField(field: FieldPrice, parentSizes: Sizes, variables: Variables): number {
  const { ownCost, items, sizes } = field.argumentPrice(variables);
  const count = field.isList ? (parentSizes[field.name] ?? items) : 1;
  // 0 * Infinity is NaN.
  return ownCost + (count === 0 ? 0 : count * estimateItem(field, sizes, variables));
}

function estimateItem({ objects, leafWeight }: FieldPrice, sizes: Sizes, variables: Variables) {
  let most = leafWeight;
  for (const { weight, object } of objects) {
    most = Math.max(most, weight + estimateObject(object, sizes, variables));
  }
  return most;
}

type Known = { sizes: Sizes; variables: Variables };

function measureObject({ fields }: ObjectPrice, { sizes, variables }: Known, data: Data): number {
  let cost = 0;
  for (const field of fields) {
    cost += field.dependsOnData
      ? measureField(field, { sizes, variables }, data[field.key])
      : estimateField(field, sizes, variables);
  }
  return cost;
}

function measureField(field: FieldPrice, known: Known, value: unknown): number {
  const { variables } = known;
  const values = itemsIn(field.type, value);
  if (values === null) return estimateField(field, known.sizes, variables);
  const { ownCost, sizes } = field.argumentPrice(variables);
  if (!field.objects.some(({ object }) => object.dependsOnData)) {
    return ownCost + values.length * estimateItem(field, sizes, variables);
  }
  return values.reduce<number>(
    (sum, each) => sum + measureItem(field, { sizes, variables }, each),
    ownCost,
  );
}

/**
 * An abstract type costs as much as the most expensive object that it can be. The data only reduces the cost of the types
 * that it can be of: an operation must not become cheaper because it returned an error of a result union.
 */
function measureItem({ objects, leafWeight }: FieldPrice, known: Known, data: unknown): number {
  let most = leafWeight;
  for (const { weight, object } of objects) {
    const cost =
      isData(data) && couldBe(data, object)
        ? measureObject(object, known, data)
        : estimateObject(object, known.sizes, known.variables);
    most = Math.max(most, weight + cost);
  }
  return most;
}

function measureEvent({ fields }: ObjectPrice, variables: Variables, data: Data): number {
  let cost = 0;
  for (const { argumentPrice, key, ...field } of fields) {
    const { sizes } = argumentPrice(variables);
    const objects = field.objects.map(({ object }) => ({ weight: 0, object }));
    cost += measureItem({ ...field, argumentPrice, key, objects }, { sizes, variables }, data[key]);
  }
  return cost;
}

/** The items of a list, also of a list of lists, or the one value of another field. Null: a list is null or missing. */
function itemsIn(type: GraphQLOutputType, value: unknown): readonly unknown[] | null {
  const nullable = getNullableType(type);
  if (!isListType(nullable)) return [value];
  if (!Array.isArray(value)) return null;
  const { ofType: itemType } = nullable;
  if (!isListType(getNullableType(itemType))) return value;
  const lists = value.map((each) => itemsIn(itemType, each));
  return lists.includes(null) ? null : lists.flatMap((items) => items ?? []);
}

/** Whether the data can be of this type. A result need not contain `__typename`, but has exactly the selected fields. */
function couldBe(data: Data, { type, keys, typenameKeys }: ObjectPrice): boolean {
  return (
    keys.length === Object.keys(data).length &&
    keys.every((key) => key in data) &&
    typenameKeys.every((key) => data[key] === type.name)
  );
}

function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
