import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// Linters out of a package of their own, and a second install of the production packages: `npm run test:deploy`.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ['test/deploy/**/*.test.ts'],
      exclude: ['**/node_modules/**'],
      testTimeout: 120_000,
      hookTimeout: 240_000,
    },
  }),
);
