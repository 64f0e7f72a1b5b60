import {
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLLeafType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';

/** An output type, taken apart once: graphql-js does it for each value. */
export type Shape = { isNonNull: boolean } & (
  | { kind: 'leaf'; type: GraphQLLeafType }
  | { kind: 'object'; type: GraphQLObjectType }
  | { kind: 'abstract'; type: GraphQLAbstractType }
  | { kind: 'list'; item: Shape }
);

/** What is the same for a field of the schema in every operation. */
export type FieldTraits = {
  shape: Shape;
  /** Whether `info` is needed without a resolver: to find the type of an object, or to check it. */
  needsInfo: boolean;
  /** Reads the value from the object alone; null if the resolver needs more. */
  read: ((source: unknown) => unknown) | null;
};

type Field = GraphQLField<unknown, unknown>;

const traits = new WeakMap<Field, FieldTraits>();

export function traitsOf(field: Field): FieldTraits {
  const known = traits.get(field);
  if (known !== undefined) return known;
  const found = {
    shape: shapeOf(field.type),
    needsInfo: needsInfo(getNamedType(field.type)),
    read: readerOf(field),
  };
  traits.set(field, found);
  return found;
}

function shapeOf(outputType: GraphQLOutputType): Shape {
  const isNonNull = isNonNullType(outputType);
  const type = isNonNull ? outputType.ofType : outputType;
  if (isListType(type)) return { isNonNull, kind: 'list', item: shapeOf(type.ofType) };
  if (isLeafType(type)) return { isNonNull, kind: 'leaf', type };
  return isAbstractType(type)
    ? { isNonNull, kind: 'abstract', type }
    : { isNonNull, kind: 'object', type: type as GraphQLObjectType };
}

function needsInfo(type: GraphQLNamedType): boolean {
  return isAbstractType(type) || (isObjectType(type) && Boolean(type.isTypeOf));
}

/**
 * A resolver with one parameter, such as those of `t.expose` and `({ status }) => status`. Pothos marks a field whose
 * resolver a plugin has wrapped: a wrapper needs the context.
 */
function readerOf({ args, resolve, extensions }: Field): FieldTraits['read'] {
  const isReader =
    resolve?.length === 1 && args.length === 0 && extensions.pothosResolveWrapped !== true;
  return isReader ? (resolve as unknown as (source: unknown) => unknown) : null;
}
