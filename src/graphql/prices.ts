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
 * IBM's GraphQL Cost Directives (https://ibm.github.io/graphql-specs/cost-spec.html) as Apollo Federation took them in
 * 2.9, where a weight is a whole number: so they reach a supergraph, and its router counts as we do.
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
 * As a slice writes it at a field. One slicing argument is never required: `first` and `last` have a default. In a
 * field's extensions, which are ours alone, one may also be a list, and is as large as that is long.
 */
export type ListSize = {
  assumedSize?: number;
  slicingArguments?: string[];
  sizedFields?: string[];
  requireOneSlicingArgument: false;
};

/** Of a list whose length nobody chooses: about as many, rather too many than too few. */
export function listOf(assumedSize: number): ListSize {
  return { assumedSize, requireOneSlicingArgument: false };
}

/** Of a field that may ask the upstream for the sake of one thing, or that changes something. */
export const upstreamCallCost = { weight: 10 };

/** For every paged list: what `pageOf` in `paging.ts` gives where no size is asked for. */
export const pageSize: ListSize = {
  assumedSize: 20,
  slicingArguments: ['first', 'last'],
  sizedFields: ['edges', 'nodes'],
  requireOneSlicingArgument: false,
};

/** How many items the fields of an object have, by their names: the list of a connection is sized by its parent. */
export type Sizes = { readonly [field: string]: number };

/**
 * Fields that GraphQL and federation add, so that there is no place to write their cost at. The schema as a whole is
 * 100 kB of answer; an entity may have to be asked for upstream.
 */
const unwritten: Record<string, number> = {
  __typename: 0,
  __schema: 500,
  __type: 10,
  _service: 10,
  _entities: 10,
};

type Field = GraphQLField<unknown, unknown>;
type Arguments = Record<string, unknown>;

/** No weight of its own: that of the type counts. */
type Price = { weight: number | undefined; listSize: Partial<ListSize> | undefined };
const prices = new WeakMap<Field, Price>();

export function priceOf(field: Field): Price {
  const known = prices.get(field);
  if (known !== undefined) return known;
  const price = {
    weight: weightAt(field) ?? unwritten[field.name],
    listSize: (field.extensions.listSize ??
      valuesAt(field, listSizeDirective)) as Price['listSize'],
  };
  prices.set(field, price);
  return price;
}

/** Of a field that is in no type of the schema, such as `__schema`. */
export function weightOfMeta(name: string): number {
  return unwritten[name] ?? 0;
}

/**
 * What the arguments that are given weigh, and within them the fields of inputs: nothing unless it is written. A list
 * that leads to no list, as `createLipsyncs(inputs:)` takes one, is the field's own work again for each further item.
 */
export function weightOfArguments(field: Field, node: FieldNode, args: Arguments): number {
  const given = new Set(node.arguments?.map(({ name }) => name.value));
  const isList = isListType(getNullableType(field.type));
  const again = isList ? 0 : Math.max(0, (lengthOfLists(args) ?? 1) - 1);
  return field.args
    .filter(({ name }) => given.has(name))
    .reduce(
      (sum, arg) => sum + (weightAt(arg) ?? 0) + weightOfInput(arg.type, args[arg.name]),
      again * (priceOf(field).weight ?? 0),
    );
}

/**
 * How many items the field may have, where it is a list, and how many the fields of what it returns.
 *
 * A list without a size of its own that takes a list, as `nodes(ids:)` does, is as long as that. The directives can't
 * say this: a slicing argument is a number.
 */
export function countItems(field: Field, args: Arguments): { items: number; sizes: Sizes } {
  const { listSize } = priceOf(field);
  if (listSize === undefined) return { items: lengthOfLists(args) ?? 1, sizes: {} };
  const { assumedSize, slicingArguments = [], sizedFields = [] } = listSize;
  const asked = slicingArguments
    .map((path) => valueAt(args, path.split('.')))
    .map((value) => (Array.isArray(value) ? value.length : value))
    .filter((size) => typeof size === 'number');
  const size = asked.length > 0 ? Math.max(0, ...asked) : (assumedSize ?? 1);
  return sizedFields.length > 0
    ? { items: 1, sizes: Object.fromEntries(sizedFields.map((name) => [name, size])) }
    : { items: size, sizes: {} };
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
