import {
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  getNullableType,
  isListType,
} from 'graphql';
import { hasVariables } from './execution/arguments.ts';
import type { FieldPlan, ObjectPlan, Variables } from './execution/plan.ts';
import {
  countItems,
  priceOf,
  type Sizes,
  weightOfArguments,
  weightOfMetaField,
  weightOfType,
} from './prices.ts';

/** The weight and size of a field with given arguments. */
type ArgumentPrice = { ownCost: number; items: number; sizes: Sizes };

export type FieldPrice = {
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

export type ObjectPrice = {
  type: GraphQLObjectType;
  keys: readonly string[];
  /** The response keys of `__typename`. */
  typenameKeys: readonly string[];
  fields: readonly FieldPrice[];
  dependsOnData: boolean;
};

export const noSizes: Sizes = {};

/** The prices of the fields, with those of their selections. They depend on the plan alone. */
export function priceObject({ type, fields }: ObjectPlan): ObjectPrice {
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
