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

/** An output type, analysed once: graphql-js analyses it for each value. */
export type Shape = { isNonNull: boolean } & (
  | { kind: 'leaf'; type: GraphQLLeafType }
  | { kind: 'object'; type: GraphQLObjectType }
  | { kind: 'abstract'; type: GraphQLAbstractType }
  | { kind: 'list'; item: Shape }
);

/** The properties of a field of the schema that do not depend on the operation. */
export type FieldTraits = {
  shape: Shape;
  /** Whether `info` is needed without a resolver: to find the type of an object, or to check it. */
  needsInfo: boolean;
  /** Reads the value from the object alone; null if the resolver needs more. If it reads a method, `resolve` must be called. */
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
 * A resolver with one parameter, such as `({ status }) => status`, or none, as `t.expose` leaves it for a property with the
 * name of the field. Pothos marks a field whose resolver a plugin has wrapped: a wrapper needs the context.
 */
function readerOf({ name, args, resolve, extensions }: Field): FieldTraits['read'] {
  if (args.length > 0 || extensions.pothosResolveWrapped === true) return null;
  if (resolve === undefined) return createPropertyReader(name);
  return resolve.length === 1 ? (resolve as unknown as (source: unknown) => unknown) : null;
}

/** As `defaultFieldResolver` of graphql-js, without the call of a method. */
function createPropertyReader(name: string): (source: unknown) => unknown {
  return (source) =>
    (typeof source === 'object' && source !== null) || typeof source === 'function'
      ? (source as Record<string, unknown>)[name]
      : undefined;
}
