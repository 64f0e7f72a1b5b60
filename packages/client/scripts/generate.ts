import { readFile, writeFile } from 'node:fs/promises';
import { codegen } from '@graphql-codegen/core';
import * as operations from '@graphql-codegen/typescript-operations';
import { buildASTSchema, type GraphQLSchema, isAbstractType, parse } from 'graphql';
import * as documents from '../src/documents.ts';

const head = `// Written by \`npm run schema\` from schema.graphql and documents.ts. Do not edit: a test holds it true.
`;

/** The unions that the documents meet. */
const unions = [
  'CreateLipsyncResult',
  'CancelLipsyncResult',
  'LipsyncProgressResult',
  'CreateUploadResult',
] as const;

/**
 * The types of all that the kit sends and gets, and the names of the members that its unions have today: whatever else
 * comes is from a server that is newer than the kit.
 */
export async function generateOperations(sdl: string): Promise<string> {
  const schemaAst = buildASTSchema(parse(sdl), { assumeValidSDL: true });
  const types = await codegen({
    filename: 'operations.ts',
    schema: parse(sdl),
    schemaAst,
    // Sorted, since a bundler keeps another order of exports than Node does.
    documents: Object.values(documents)
      .toSorted()
      .map((text) => ({ document: parse(text) })),
    config: {
      strictScalars: true,
      scalars: {
        ID: 'string',
        DateTime: 'string',
        BigInt: 'number',
        File: 'Blob',
        _Any: 'never',
        FieldSet: 'never',
      },
      // Only where the document asks for it.
      skipTypename: true,
      mergeFragmentTypes: true,
      omitOperationSuffix: false,
    },
    plugins: [{ operations: {} }],
    pluginMap: { operations },
  });
  const known = unions.map(
    (name) => `export const known${name}s = ${listOf(membersOf(schemaAst, name))} as const;\n`,
  );
  return `${head}${types.trimEnd()}\n\n${known.join('\n')}\n${possibleTypesOf(schemaAst)}`;
}

function membersOf(schema: GraphQLSchema, name: string): string[] {
  const type = schema.getType(name);
  return isAbstractType(type) ? schema.getPossibleTypes(type).map((each) => each.name) : [];
}

function possibleTypesOf(schema: GraphQLSchema): string {
  const abstract = Object.values(schema.getTypeMap()).filter(isAbstractType);
  const rows = abstract.map(({ name }) => `  ${name}: ${listOf(membersOf(schema, name))},\n`);
  return `/** What Apollo Client's cache has to know to match fragments on interfaces and unions. */
export const possibleTypes = {\n${rows.join('')}};\n`;
}

function listOf(names: readonly string[]): string {
  return `[${names.map((name) => `'${name}'`).join(', ')}]`;
}

const file = (path: string) => new URL(path, import.meta.url);

if (import.meta.main) {
  const sdl = await readFile(file('../../../schema.graphql'), 'utf8');
  await writeFile(file('../src/operations.ts'), await generateOperations(sdl));
}
