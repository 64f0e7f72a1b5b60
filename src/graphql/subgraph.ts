import { printSubgraphSchema } from '@apollo/subgraph';
import {
  type DefinitionNode,
  type DocumentNode,
  defaultFieldResolver,
  type FieldDefinitionNode,
  type GraphQLField,
  type GraphQLFieldResolver,
  GraphQLInputObjectType,
  type GraphQLObjectType,
  GraphQLSchema,
  getNamedType,
  isObjectType,
  isUnionType,
  Kind,
  type NameNode,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  visit,
} from 'graphql';
import { builder } from './builder.ts';
import { encodeId } from './ids.ts';

/** The highest version that `@apollo/composition` and `@theguild/federation-composition` both support. */
const federation = 'https://specs.apollo.dev/federation/v2.9';

/** Listed explicitly, because Pothos imports only the directives of its own options. */
const federationDirectives = ['@cost', '@key', '@listSize', '@shareable', '@tag'];

/**
 * Schema registries require the definition of `@oneOf`. They know the other two from federation 2.9 and the Cost Directives
 * Specification and accept exactly these definitions; they are published for clients.
 */
const definitions = `
"""Exactly one field of the input must be given."""
directive @oneOf on INPUT_OBJECT

"""
The cost that this adds to an operation. The default is 1 for a field that returns an object and 0 for other fields.
"""
directive @cost(
  """The cost of each occurrence."""
  weight: Int!
) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR

"""The number of list items that the cost is computed for. Each item costs its selected fields."""
directive @listSize(
  """The number of items if no slicing argument is given."""
  assumedSize: Int
  """The arguments that set the number of items; the largest value counts."""
  slicingArguments: [String!]
  """The fields of the returned object that contain the list. Default: the field itself is the list."""
  sizedFields: [String!]
  """Whether exactly one of the slicing arguments must be given."""
  requireOneSlicingArgument: Boolean = true
) on FIELD_DEFINITION
`;

/** Inputs that get `@oneOf`. */
const oneOfInputs = ['LipsyncVideoInput', 'LipsyncSpeechInput'];

/**
 * Fields of `Query` that this server resolves but that the published SDL omits. A field of two subgraphs must be shareable
 * and mean the same in both. Our `node` resolves only our types, so a supergraph with another subgraph's `node` would not
 * compose. A gateway resolves our types by `_entities` instead.
 */
const unpublishedFields: ReadonlySet<string> = new Set(['node', 'nodes']);

/** Shown at the top of GraphiQL's documentation. */
const schemaDescription = `Creates lip-sync videos: the person in a video speaks a text or an audio file. \`videos\` and \`voices\` list what is available, \`createLipsync\` creates a lip-sync, and \`lipsyncProgress\` streams its progress until it ends.

An operation with documented failures returns a union. Its failures implement \`LipsyncError\`, so \`... on LipsyncError { code message }\` reads all of them, including those that later versions add.`;

/**
 * The executable schema, and its SDL for a schema registry. Pothos's federation plugin cannot print `@oneOf`, and
 * `@apollo/composition` rejects it without a definition, so both are added after the build.
 */
export function toSubgraph(): { schema: GraphQLSchema; printSdl: () => string } {
  const published = builder.toSubGraphSchema({ linkUrl: federation, federationDirectives });
  let sdl: string | undefined;
  // Printed lazily: it would take a tenth of the start time.
  const printSdl = () => {
    sdl ??= printWithOneOf(published);
    return sdl;
  };
  // A copy, since its description is set below.
  const schema = new GraphQLSchema(published.toConfig());
  for (const name of oneOfInputs) {
    const input = schema.getType(name);
    if (!(input instanceof GraphQLInputObjectType))
      throw new Error(`The schema has no input ${name}.`);
    input.isOneOf = true;
  }
  const { _service: service, _entities: entities } = schema.getQueryType()?.getFields() ?? {};
  if (service === undefined || entities === undefined)
    throw new Error('The schema has no _service or _entities field.');
  // Only for the executable schema: a subgraph must not set the description of a supergraph.
  schema.description = schemaDescription;
  service.resolve = () => ({ sdl: printSdl() });
  for (const type of Object.values(schema.getTypeMap()).filter(isObjectType)) {
    encodeIdsAtOnce(type);
    Object.values(type.getFields()).forEach(unwrapLoaded);
  }
  skipUnknownTypes(entities);
  return { schema, printSdl };
}

type NodeOptions = { id?: { resolve?: (source: unknown) => string } };

/**
 * Encodes the ids of nodes without a promise, and once for each object: the same objects are kept between requests. The
 * resolvers of Pothos' relay plugin are async, which takes a third of the time of a list.
 */
function encodeIdsAtOnce(type: GraphQLObjectType): void {
  const keyOf = (type.extensions.pothosOptions as NodeOptions | undefined)?.id?.resolve;
  const { id } = type.getFields();
  if (keyOf === undefined || id === undefined) return;
  const ids = new WeakMap<object, string>();
  id.resolve = (source: object) => {
    const known = ids.get(source);
    if (known !== undefined) return known;
    const encoded = encodeId(type.name, keyOf(source));
    ids.set(source, encoded);
    return encoded;
  };
}

/**
 * Calls the resolver of a field with the extension `isLoaded` without the wrapper of Pothos' dataloader plugin, which looks
 * for keys in place of objects, in each item of a list.
 */
function unwrapLoaded(field: GraphQLField<unknown, unknown>): void {
  const { isLoaded, pothosConfig } = field.extensions;
  if (isLoaded !== true) return;
  field.resolve = (pothosConfig as { resolve: GraphQLFieldResolver<unknown, unknown> }).resolve;
  field.extensions = { ...field.extensions, pothosResolveWrapped: false };
}

type Reference = { __typename?: unknown };

/** Resolves a reference to an unknown type to null. Apollo's resolver would fail the whole list with an internal error. */
function skipUnknownTypes(entities: GraphQLField<unknown, unknown>): void {
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

/** Sorts the document, so that the order in which types are built does not show up in a diff. */
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
