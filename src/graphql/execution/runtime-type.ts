import {
  defaultTypeResolver,
  type GraphQLAbstractType,
  GraphQLError,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  isObjectType,
} from 'graphql';

/**
 * The object type of a value of an interface or union.
 *
 * @throws GraphQLError if it is not one of its possible types
 */
export function findRuntimeType(
  type: GraphQLAbstractType,
  { value, context, info }: { value: unknown; context: unknown; info: GraphQLResolveInfo },
): GraphQLObjectType | Promise<GraphQLObjectType> {
  const resolveType = type.resolveType ?? defaultTypeResolver;
  const resolved = resolveType(value, context, info, type);
  const check = (name: string | undefined) => checkType(type, name, info);
  return typeof resolved === 'object' && resolved !== null ? resolved.then(check) : check(resolved);
}

function checkType(
  abstract: GraphQLAbstractType,
  name: string | undefined,
  { schema, fieldNodes, parentType, fieldName }: GraphQLResolveInfo,
): GraphQLObjectType {
  const type = name === undefined ? undefined : schema.getType(name);
  if (isObjectType(type) && schema.isSubType(abstract, type)) return type;
  throw new GraphQLError(
    `The value of the field "${parentType.name}.${fieldName}" is of no possible type of "${abstract.name}".`,
    { nodes: fieldNodes },
  );
}
