import { defineConfig, mergeConfig } from 'vitest/config';
import base, { beyondCore, otherSuites } from './vitest.config.ts';

// Every test that needs no browser and no other package. The gate runs the core before it and sets WITHOUT_CORE=true.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: process.env.WITHOUT_CORE === 'true' ? beyondCore : ['test/**/*.test.ts'],
      exclude: otherSuites,
    },
  }),
);
