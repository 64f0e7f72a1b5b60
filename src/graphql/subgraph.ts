import { printSubgraphSchema } from '@apollo/subgraph';
import {
  type DefinitionNode,
  type DocumentNode,
  defaultFieldResolver,
  type FieldDefinitionNode,
  type GraphQLField,
  GraphQLInputObjectType,
  GraphQLSchema,
  getNamedType,
  isUnionType,
  Kind,
  type NameNode,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  visit,
} from 'graphql';
import { builder } from './builder.ts';

/** The highest that both `@apollo/composition` and `@theguild/federation-composition` take. */
const federation = 'https://specs.apollo.dev/federation/v2.9';

/** Told here, since Pothos knows no directive by itself but those of its own options. */
const federationDirectives = ['@cost', '@key', '@listSize', '@shareable', '@tag'];

/**
 * A registry needs that of `@oneOf`. It knows the others, of federation 2.9 and the GraphQL Cost Directives Specification,
 * and takes them as long as they are these; they are here for clients.
 */
const definitions = `
"""Exactly one field of the input is given."""
directive @oneOf on INPUT_OBJECT

"""
What this adds to the cost of an operation. Where it is not written, a field that returns something with fields adds 1, and any other 0.
"""
directive @cost(
  """How much, each time."""
  weight: Int!
) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR

"""How many items a list counts for, since each of them costs what is selected of it."""
directive @listSize(
  """As many, where no argument says otherwise."""
  assumedSize: Int
  """The arguments that say how many; the largest counts."""
  slicingArguments: [String!]
  """The fields of what is returned that hold the list. Without them the field itself does."""
  sizedFields: [String!]
  """Whether exactly one of the arguments must be given."""
  requireOneSlicingArgument: Boolean = true
) on FIELD_DEFINITION
`;

/** Inputs of which exactly one field is given. */
const oneOfInputs = ['LipsyncVideoInput', 'LipsyncSpeechInput'];

/**
 * Fields of `Query` that are answered here and left out of the published SDL. A field that two subgraphs have must be
 * shareable in both and mean the same in both, and a `node` that knows only our types means something else than a
 * neighbour's: with ours in it, no graph that has a `node` already would compose. A gateway reaches our types by
 * `_entities`.
 */
const unpublishedFields: ReadonlySet<string> = new Set(['node', 'nodes']);

/** The first that GraphiQL's documentation shows. */
const about = `Makes the person in a video speak. \`videos\` and \`voices\` list what there is, \`createLipsync\` makes a lip-sync, and \`lipsyncProgress\` follows it to its end.

Where something can fail on purpose the result is a union. Its failures implement \`LipsyncError\`, so \`... on LipsyncError { code message }\` reads each of them, also those of later versions.`;

/**
 * The schema as it runs, and its SDL as a registry takes it. Pothos' federation plugin can't print `@oneOf`, and
 * `@apollo/composition` refuses it undeclared: the inputs get it after the build, and the SDL with its definition.
 */
export function toSubgraph(): { schema: GraphQLSchema; printSdl: () => string } {
  const published = builder.toSubGraphSchema({ linkUrl: federation, federationDirectives });
  let sdl: string | undefined;
  // When it is first asked for: it takes a tenth of what a start has.
  const printSdl = () => {
    sdl ??= printWithOneOf(published);
    return sdl;
  };
  // A copy, since its description is set below.
  const schema = new GraphQLSchema(published.toConfig());
  for (const name of oneOfInputs) {
    const input = schema.getType(name);
    if (!(input instanceof GraphQLInputObjectType)) throw new Error(`There is no input ${name}.`);
    input.isOneOf = true;
  }
  const { _service: service, _entities: entities } = schema.getQueryType()?.getFields() ?? {};
  if (service === undefined || entities === undefined) throw new Error('This is no subgraph.');
  // Of the schema as it runs alone: what a graph is about is not for one subgraph to say.
  schema.description = about;
  service.resolve = () => ({ sdl: printSdl() });
  tolerateStrangers(entities);
  return { schema, printSdl };
}

type Reference = { __typename?: unknown };

/** Apollo's resolver fails the whole list, as a defect of ours, over one reference that is to no entity. */
function tolerateStrangers(entities: GraphQLField<unknown, unknown>): void {
  const { resolve = defaultFieldResolver } = entities;
  const union = getNamedType(entities.type);
  const names = new Set<unknown>(
    isUnionType(union) ? union.getTypes().map(({ name }) => name) : [],
  );
  entities.resolve = (...[source, { representations }, context, info]) =>
    (representations as Reference[]).map((reference) => {
      if (!names.has(reference.__typename)) return null;
      const found: unknown = resolve(source, { representations: [reference] }, context, info);
      return Array.isArray(found) ? found[0] : null;
    });
}

function printWithOneOf(schema: GraphQLSchema): string {
  const printed = oneOfInputs.reduce(
    (text, name) => text.replace(`input ${name} {`, `input ${name} @oneOf {`),
    printSubgraphSchema(schema),
  );
  return `${print(sort(parse(`${printed}\n${definitions}`)))}\n`;
}

type Named = { name?: NameNode };
const byName = (a: Named, b: Named) => (a.name?.value ?? '').localeCompare(b.name?.value ?? '');

function isPublished(type: ObjectTypeDefinitionNode, { name }: FieldDefinitionNode): boolean {
  return type.name.value !== 'Query' || !unpublishedFields.has(name.value);
}

/** The same document whatever order the types were built in, so that a change shows only what changed. */
function sort(document: DocumentNode): DocumentNode {
  const isExtension = ({ kind }: DefinitionNode) => kind === Kind.SCHEMA_EXTENSION;
  const sorted = visit(document, {
    ObjectTypeDefinition: (node) => ({
      ...node,
      fields: node.fields?.filter((field) => isPublished(node, field)).toSorted(byName),
    }),
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
