// GraphQL Code Generator: the configuration of a client, with a type for each custom scalar. Run: graphql-codegen --config
// codegen.ts in your project; examples/test/recipes.test.ts generates types with it.

export default {
  schema: 'client.graphql',
  documents: ['src/**/*.{ts,tsx}'],
  generates: {
    'src/graphql/': {
      preset: 'client',
      config: {
        scalars: {
          DateTime: 'string',
          File: { input: 'File | Blob', output: 'never' },
          SafeInt: 'number',
          URL: 'string',
        },
      },
    },
  },
};
