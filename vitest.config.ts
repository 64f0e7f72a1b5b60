import { defineConfig } from 'vitest/config';

// One copy of graphql: without this, vitest loads its ESM build for our files and Node loads the
// CJS build for Pothos, and graphql refuses types "from another module or realm".
export default defineConfig({
  test: {
    server: { deps: { inline: [/graphql/, /@pothos/] } },
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
