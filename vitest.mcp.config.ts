import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// The conformance suite of the Model Context Protocol, a package of its own: `npm run test:mcp`.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ['test/mcp/**/*.test.ts'],
      exclude: ['**/node_modules/**'],
      testTimeout: 120_000,
      hookTimeout: 240_000,
    },
  }),
);
