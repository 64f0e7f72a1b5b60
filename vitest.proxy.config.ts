import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// Behind a real nginx, which has to be at /usr/sbin/nginx.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ['test/proxy/**/*.test.ts'],
      testTimeout: 120_000,
      fileParallelism: false,
    },
  }),
);
