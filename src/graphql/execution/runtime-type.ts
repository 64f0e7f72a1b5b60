import {
  type GraphQLAbstractType,
  GraphQLError,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  isObjectType,
} from 'graphql';

/**
 * The object type of this name.
 *
 * @throws GraphQLError if it is not a possible type of the interface or union
 */
export function findRuntimeType(
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
