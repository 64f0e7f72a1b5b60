import {
  type DefinitionNode,
  type GraphQLSchema,
  Kind,
  lexicographicSortSchema,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  printSchema,
  visit,
} from 'graphql';

/** Types and fields that only a gateway uses, and the types of federation's directives. */
const isForGateways = (name: string) => name.startsWith('_') || name === 'FieldSet';

/** Relay's compiler and older code generators do not know `@oneOf` without this. */
const oneOf = `"""Exactly one field of the input must be given."""
directive @oneOf on INPUT_OBJECT`;

/**
 * The schema as a client sees it: with `node` and `nodes`, without federation. Sorted. For code generators and Relay's
 * compiler, which would generate types for a gateway's fields otherwise.
 */
export function printClientSdl(schema: GraphQLSchema): string {
  // The description of the schema is for GraphiQL. Relay's compiler cannot parse it.
  const described = parse(printSchema(lexicographicSortSchema(schema)));
  const definitions = described.definitions.filter(isForClients);
  const document = visit({ ...described, definitions }, { ObjectTypeDefinition: withoutGateway });
  return `${oneOf}\n\n${print(document)}\n`;
}

function isForClients(definition: DefinitionNode): boolean {
  const { kind } = definition;
  if (kind === Kind.SCHEMA_DEFINITION || kind === Kind.DIRECTIVE_DEFINITION) return false;
  return !('name' in definition && isForGateways(definition.name?.value ?? ''));
}

function withoutGateway(type: ObjectTypeDefinitionNode): ObjectTypeDefinitionNode {
  return { ...type, fields: type.fields?.filter(({ name }) => !isForGateways(name.value)) ?? [] };
}
