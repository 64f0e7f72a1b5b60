import { EntityType, entitiesField, serviceField } from '@apollo/subgraph/dist/types.js';
import {
  type DefinitionNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type GraphQLField,
  type GraphQLFieldResolver,
  GraphQLInputObjectType,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLUnionType,
  isObjectType,
  Kind,
  lexicographicSortSchema,
  type NameNode,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  visit,
} from 'graphql';
import { builder } from './builder.ts';
import { isEntity } from './federation.ts';
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

/** The executable schema, and its SDL for a schema registry. */
export function toSubgraph(): { schema: GraphQLSchema; printSdl: () => Promise<string> } {
  const link = { url: federation, import: federationDirectives };
  const built = builder.toSchema({
    // Sorted below, with the fields for gateways.
    sortSchema: false,
    extensions: { directives: [{ name: 'link', args: link }] },
  });
  let sdl: Promise<string> | undefined;
  const printSdl = () => {
    sdl ??= printSubgraph(schema);
    return sdl;
  };
  const schema = lexicographicSortSchema(addGatewayFields(built, printSdl));
  // Set after the build, because Apollo's library cannot print it.
  for (const name of oneOfInputs) {
    const input = schema.getType(name);
    if (!(input instanceof GraphQLInputObjectType))
      throw new Error(`The schema has no input ${name}.`);
    input.isOneOf = true;
  }
  schema.description = schemaDescription;
  for (const type of Object.values(schema.getTypeMap()).filter(isObjectType)) {
    encodeIdsAtOnce(type);
    Object.values(type.getFields()).forEach(unwrapLoaded);
  }
  return { schema, printSdl };
}

/** Adds `_service` and `_entities`, which only gateways use. */
function addGatewayFields(built: GraphQLSchema, printSdl: () => Promise<string>): GraphQLSchema {
  const config = built.toConfig();
  const query = built.getQueryType()?.toConfig();
  const types = config.types.filter(isObjectType).filter(isEntity);
  if (query === undefined || types.length === 0) throw new Error('The schema has no entities.');
  const union = new GraphQLUnionType({ ...EntityType.toConfig(), types });
  const _entities = {
    ...entitiesField,
    type: new GraphQLNonNull(new GraphQLList(union)),
    resolve: resolveKnownTypes(types),
  };
  const _service = { ...serviceField, resolve: async () => ({ sdl: await printSdl() }) };
  const extended = new GraphQLObjectType({
    ...query,
    fields: { ...query.fields, _entities, _service },
  });
  const others = config.types.filter((type) => type !== built.getQueryType());
  return new GraphQLSchema({ ...config, query: extended, types: [...others, extended] });
}

type NodeOptions = { id?: { resolve?: (source: unknown) => string } };

/**
 * Encodes the ids of nodes without a promise, and once for each object: the same objects are cached between requests. The
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
 * Calls the resolver of a field with the extension `isLoaded` without the wrapper of Pothos' dataloader plugin, which checks
 * for each item of a list whether it is a key in place of an object.
 */
function unwrapLoaded(field: GraphQLField<unknown, unknown>): void {
  const { isLoaded, pothosConfig } = field.extensions;
  if (isLoaded !== true) return;
  field.resolve = (pothosConfig as { resolve: GraphQLFieldResolver<unknown, unknown> }).resolve;
  field.extensions = { ...field.extensions, pothosResolveWrapped: false };
}

type Reference = { __typename?: unknown };

/** Resolves a reference to an unknown type to null. Apollo's resolver would fail the whole list with an internal error. */
function resolveKnownTypes(
  types: readonly GraphQLObjectType[],
): GraphQLFieldResolver<unknown, unknown, { representations: Reference[] }> {
  const names = new Set<unknown>(types.map(({ name }) => name));
  return (...[source, { representations }, context, info]) =>
    representations.map((reference) => {
      if (!names.has(reference.__typename)) return null;
      const found: unknown = entitiesField.resolve?.(
        source,
        { representations: [reference] },
        context,
        info,
      );
      return Array.isArray(found) ? found[0] : null;
    });
}

/**
 * Apollo's library is imported only here: loading it and printing the schema take a tenth of the startup time. It cannot
 * print `@oneOf`, and `@apollo/composition` rejects the directive without a definition, so both are added.
 */
async function printSubgraph(schema: GraphQLSchema): Promise<string> {
  const { printSubgraphSchema } = await import('@apollo/subgraph');
  // A subgraph must not set the description of a supergraph.
  const published = new GraphQLSchema({ ...schema.toConfig(), description: null });
  const printed = oneOfInputs.reduce(
    (text, name) => text.replace(`input ${name} {`, `input ${name} @oneOf {`),
    printSubgraphSchema(published),
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
