import { type GraphQLOutputType, getNullableType, isListType, OperationTypeNode } from 'graphql';
import { countFields } from './execution/count-fields.ts';
import type { OperationPlan, Variables } from './execution/plan.ts';
import { type FieldPrice, noSizes, type ObjectPrice, priceObject } from './price-plan.ts';
import type { Sizes } from './prices.ts';

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
