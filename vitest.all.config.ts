import { defineConfig, mergeConfig } from 'vitest/config';
import base, { beyondCore, otherSuites } from './vitest.config.ts';

const isGate = process.env.WITHOUT_CORE === 'true';

// Every test that needs no browser and no other package. The gate runs the core before it and sets WITHOUT_CORE=true.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: isGate ? beyondCore : ['test/**/*.test.ts'],
      // The gate runs it on PostgreSQL.
      exclude: isGate ? [...otherSuites, 'test/database/plans.test.ts'] : otherSuites,
    },
  }),
);
