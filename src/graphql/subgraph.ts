import { printSubgraphSchema } from '@apollo/subgraph';
import {
  type DefinitionNode,
  type DocumentNode,
  GraphQLInputObjectType,
  type GraphQLSchema,
  Kind,
  type NameNode,
  parse,
  print,
  visit,
} from 'graphql';
import { builder } from './builder.ts';

/** The highest that both `@apollo/composition` and `@theguild/federation-composition` take. */
const federation = 'https://specs.apollo.dev/federation/v2.11';

/** Inputs of which exactly one field is given. */
const oneOfInputs = ['LipsyncVideoInput', 'LipsyncSpeechInput'];

/**
 * The schema as it runs, and its SDL as a registry takes it. Pothos' federation plugin can't print `@oneOf`, and
 * `@apollo/composition` refuses it undeclared: the inputs get it after the build, and the SDL with its definition.
 */
export function toSubgraph(): { schema: GraphQLSchema; sdl: string } {
  const schema = builder.toSubGraphSchema({ linkUrl: federation });
  const sdl = printWithOneOf(schema);
  for (const name of oneOfInputs) {
    const input = schema.getType(name);
    if (!(input instanceof GraphQLInputObjectType)) throw new Error(`There is no input ${name}.`);
    input.isOneOf = true;
  }
  const service = schema.getQueryType()?.getFields()._service;
  if (service === undefined) throw new Error('The subgraph has no _service.');
  service.resolve = () => ({ sdl });
  return { schema, sdl };
}

function printWithOneOf(schema: GraphQLSchema): string {
  const printed = oneOfInputs.reduce(
    (text, name) => text.replace(`input ${name} {`, `input ${name} @oneOf {`),
    printSubgraphSchema(schema),
  );
  const definition =
    '"""Exactly one field of the input is given."""\ndirective @oneOf on INPUT_OBJECT';
  return `${print(sort(parse(`${printed}\n${definition}`)))}\n`;
}

type Named = { name?: NameNode };
const byName = (a: Named, b: Named) => (a.name?.value ?? '').localeCompare(b.name?.value ?? '');

/** The same document whatever order the types were built in, so that a change shows only what changed. */
function sort(document: DocumentNode): DocumentNode {
  const isExtension = ({ kind }: DefinitionNode) => kind === Kind.SCHEMA_EXTENSION;
  const sorted = visit(document, {
    ObjectTypeDefinition: (node) => ({ ...node, fields: node.fields?.toSorted(byName) }),
    InterfaceTypeDefinition: (node) => ({ ...node, fields: node.fields?.toSorted(byName) }),
    InputObjectTypeDefinition: (node) => ({ ...node, fields: node.fields?.toSorted(byName) }),
    EnumTypeDefinition: (node) => ({ ...node, values: node.values?.toSorted(byName) }),
    FieldDefinition: (node) => ({ ...node, arguments: node.arguments?.toSorted(byName) }),
    UnionTypeDefinition: (node) => ({
      ...node,
      types: node.types?.toSorted((a, b) => byName(a, b)),
    }),
  });
  return {
    ...sorted,
    definitions: sorted.definitions.toSorted(
      (a, b) => Number(isExtension(b)) - Number(isExtension(a)) || byName(a as Named, b as Named),
    ),
  };
}
