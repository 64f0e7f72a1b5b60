import {
  DirectiveLocation,
  type FieldNode,
  GraphQLBoolean,
  GraphQLDirective,
  type GraphQLField,
  type GraphQLInputType,
  GraphQLInt,
  GraphQLList,
  type GraphQLNamedType,
  GraphQLNonNull,
  GraphQLString,
  getDirectiveValues,
  getNamedType,
  getNullableType,
  isCompositeType,
  isInputObjectType,
  isListType,
} from 'graphql';

/*
 * IBM's GraphQL Cost Directives (https://ibm.github.io/graphql-specs/cost-spec.html) in the form of Apollo Federation 2.9,
 * where a weight is an integer. In this form they become part of a supergraph, whose router computes the same costs.
 */

const costDirective = new GraphQLDirective({
  name: 'cost',
  locations: [
    DirectiveLocation.ARGUMENT_DEFINITION,
    DirectiveLocation.ENUM,
    DirectiveLocation.FIELD_DEFINITION,
    DirectiveLocation.INPUT_FIELD_DEFINITION,
    DirectiveLocation.OBJECT,
    DirectiveLocation.SCALAR,
  ],
  args: { weight: { type: new GraphQLNonNull(GraphQLInt) } },
});

const listOfNames = new GraphQLList(new GraphQLNonNull(GraphQLString));

const listSizeDirective = new GraphQLDirective({
  name: 'listSize',
  locations: [DirectiveLocation.FIELD_DEFINITION],
  args: {
    assumedSize: { type: GraphQLInt },
    slicingArguments: { type: listOfNames },
    sizedFields: { type: listOfNames },
    requireOneSlicingArgument: { type: GraphQLBoolean, defaultValue: true },
  },
});

/**
 * `@listSize` of a field. `requireOneSlicingArgument` is always false, because `first` and `last` have a default. In a
 * field's extensions, which only this server reads, a slicing argument can also be a list: its length is the size.
 */
export type ListSize = {
  assumedSize?: number;
  slicingArguments?: string[];
  sizedFields?: string[];
  requireOneSlicingArgument: false;
};

/** The size of a list without size arguments. An estimate, too high rather than too low. */
export function listOf(assumedSize: number): ListSize {
  return { assumedSize, requireOneSlicingArgument: false };
}

/** For a field that can cause an upstream call for one object, and for mutations. */
export const upstreamCallCost = { weight: 10 };

/** For paged lists. The assumed size is the default page size of `pageOf` in `paging.ts`. */
export const pageSize: ListSize = {
  assumedSize: 20,
  slicingArguments: ['first', 'last'],
  sizedFields: ['edges', 'nodes'],
  requireOneSlicingArgument: false,
};

/** Field name → number of items, for the lists of a connection, whose size is an argument of the parent field. */
export type Sizes = { readonly [field: string]: number };

/**
 * Weights of fields that GraphQL and federation add, which cannot have `@cost`. `__schema` returns up to 100 kB; an entity
 * can cause an upstream call.
 */
const builtInWeights: Record<string, number> = {
  __typename: 0,
  __schema: 500,
  __type: 10,
  _service: 10,
  _entities: 10,
};

type Field = GraphQLField<unknown, unknown>;
type Arguments = Record<string, unknown>;

/** Without a weight, the weight of the field's type applies. */
type Price = { weight: number | undefined; listSize: Partial<ListSize> | undefined };
const prices = new WeakMap<Field, Price>();

export function priceOf(field: Field): Price {
  const known = prices.get(field);
  if (known !== undefined) return known;
  const price = {
    weight: weightAt(field) ?? builtInWeights[field.name],
    listSize: (field.extensions.listSize ??
      valuesAt(field, listSizeDirective)) as Price['listSize'],
  };
  prices.set(field, price);
  return price;
}

/** The weight of a field that no type declares, such as `__schema`. */
export function weightOfMetaField(name: string): number {
  return builtInWeights[name] ?? 0;
}

/**
 * The weight of the given arguments and of their input fields: 0 without `@cost`. If a field that returns no list takes a
 * list, such as `createLipsyncs(input: { items })`, each item after the first costs the weight of the field again.
 */
export function weightOfArguments(field: Field, node: FieldNode, args: Arguments): number {
  const givenNames = new Set(node.arguments?.map(({ name }) => name.value));
  const isList = isListType(getNullableType(field.type));
  const repetitions = isList ? 0 : Math.max(0, (lengthOfInput(field, args) ?? 1) - 1);
  return field.args
    .filter(({ name }) => givenNames.has(name))
    .reduce(
      (sum, arg) => sum + (weightAt(arg) ?? 0) + weightOfInput(arg.type, args[arg.name]),
      repetitions * (priceOf(field).weight ?? 0),
    );
}

/**
 * The maximum number of items of the field, if it is a list, and of the lists in the object that it returns.
 *
 * A list without `@listSize` whose argument is a list, such as `nodes(ids:)`, has the length of the argument. The directives
 * cannot express this, because a slicing argument is a number.
 */
export function countItems(field: Field, args: Arguments): { items: number; sizes: Sizes } {
  const { listSize } = priceOf(field);
  if (listSize === undefined) return { items: lengthOfLists(args) ?? 1, sizes: {} };
  const { assumedSize, slicingArguments = [], sizedFields = [] } = listSize;
  const sizes = slicingArguments
    .map((path) => valueAt(args, path.split('.')))
    .map((value) => (Array.isArray(value) ? value.length : value))
    .filter((size) => typeof size === 'number');
  const size = sizes.length > 0 ? Math.max(0, ...sizes) : (assumedSize ?? 1);
  return sizedFields.length > 0
    ? { items: 1, sizes: Object.fromEntries(sizedFields.map((name) => [name, size])) }
    : { items: size, sizes: {} };
}

/** The length of the longest list among the arguments and the input fields that `slicingArguments` names. */
function lengthOfInput(field: Field, args: Arguments): number | undefined {
  const { slicingArguments = [] } = priceOf(field).listSize ?? {};
  const nested = slicingArguments.map((path) => [path, valueAt(args, path.split('.'))]);
  return lengthOfLists({ ...args, ...Object.fromEntries(nested) });
}

function lengthOfLists(args: Arguments): number | undefined {
  const lists = Object.values(args).filter(Array.isArray);
  return lists.length === 0 ? undefined : Math.max(...lists.map(({ length }) => length));
}

function valueAt(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return value;
  return isRecord(value) ? valueAt(value[name], rest) : undefined;
}

function weightOfInput(type: GraphQLInputType, value: unknown): number {
  const nullable = getNullableType(type);
  if (isListType(nullable) && Array.isArray(value)) {
    return value.reduce((sum: number, each) => sum + weightOfInput(nullable.ofType, each), 0);
  }
  const named = getNamedType(type);
  if (!isInputObjectType(named) || !isRecord(value)) return 0;
  return Object.values(named.getFields())
    .filter(({ name }) => value[name] !== undefined)
    .reduce(
      (sum, each) => sum + (weightAt(each) ?? 0) + weightOfInput(each.type, value[each.name]),
      0,
    );
}

export function weightOfType(type: GraphQLNamedType): number {
  return weightAt(type) ?? (isCompositeType(type) ? 1 : 0);
}

type Annotated = { astNode?: Parameters<typeof getDirectiveValues>[1] | null | undefined };

function weightAt(definition: Annotated): number | undefined {
  return valuesAt(definition, costDirective)?.weight as number | undefined;
}

function valuesAt({ astNode }: Annotated, directive: GraphQLDirective) {
  return astNode == null ? undefined : getDirectiveValues(directive, astNode);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
