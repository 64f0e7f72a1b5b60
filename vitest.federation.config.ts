import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// With a gateway and another subgraph, out of a package of their own: `npm run test:federation` installs it.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ['test/federation/**/*.test.ts'],
      exclude: ['**/node_modules/**'],
      // Each file has a gateway beside it, whose start takes a core for itself.
      maxWorkers: 2,
      testTimeout: 120_000,
      hookTimeout: 240_000,
    },
  }),
);
