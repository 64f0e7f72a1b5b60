import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// The client as npm gets it, in projects of its own and in old versions of Node: `npm run test:package`.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      globalSetup: ['test/support/memory-folder.ts', 'test/client-package/setup.ts'],
      include: ['test/client-package/*.test.ts'],
      testTimeout: 120_000,
      hookTimeout: 240_000,
    },
  }),
);
