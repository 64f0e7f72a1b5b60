import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// The page, in a real Chromium, out of a package of its own: `npm run test:web` installs it.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      globalSetup: ['examples/web/test/setup.ts'],
      include: ['examples/web/test/**/*.test.ts'],
      testTimeout: 240_000,
      hookTimeout: 120_000,
      // A browser and a program each: more of them at once only wait for each other.
      maxWorkers: 2,
    },
  }),
);
