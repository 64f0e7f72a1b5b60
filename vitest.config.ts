import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// A hundred and fifty processes read the same packages: what one of them compiled the next ones take.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules/.cache/compile');

export default defineConfig({
  resolve: {
    alias: [
      // One copy of graphql. Vite would take its ESM build for our files while Node takes the CJS build for Pothos and
      // @apollo/subgraph, and graphql refuses types "from another module or realm".
      {
        find: /^graphql$/,
        replacement: join(import.meta.dirname, 'node_modules/graphql/index.js'),
      },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // Several instances need a real PostgreSQL: `npm run test:postgres`.
    exclude: ['test/browser/**', 'test/federation/**', 'test/proxy/**', 'test/e2e/instances/**'],
    // As `npm start` does: V8 would spend a fifth of the time on optimising the embedded database.
    execArgv: ['--liftoff-only'],
    // Tests wait for servers more than they compute: one more than the cores keeps those busy.
    maxWorkers: availableParallelism() + 1,
    // A machine that others keep busy fails what waits for another process. The report says what was tried twice.
    retry: 1,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
