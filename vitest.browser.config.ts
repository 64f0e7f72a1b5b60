import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// In a real Chromium, which has to be at /usr/bin/chromium.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ['test/browser/**/*.test.ts'],
      testTimeout: 240_000,
      hookTimeout: 120_000,
      fileParallelism: false,
    },
  }),
);
