import { defineConfig, mergeConfig } from 'vitest/config';
import base, { beyondCore, otherSuites } from './vitest.config.ts';

/** The gate has run the core, and runs these on PostgreSQL: they test the same promises there. */
export const onPostgres = [
  'test/chaos/*.test.ts',
  'test/database/{backup,plans}.test.ts',
  'test/domains/lipsyncs/repair.test.ts',
  'test/domains/lipsyncs/create/{batch,credits,limits}.test.ts',
  'test/domains/lipsyncs/dispatch/{fairness,queue,release-claim}.test.ts',
  'test/domains/lipsyncs/files/*.test.ts',
  'test/domains/lipsyncs/histories/*.test.ts',
  'test/domains/lipsyncs/progress/{list-progress,log-watcher}.test.ts',
  'test/domains/lipsyncs/reconcile/give-up.test.ts',
  'test/domains/quotas/{cost,streams}.test.ts',
  'test/domains/uploads/imports/restart.test.ts',
  'test/domains/webhooks/{app,due,events,restart}.test.ts',
];

const isGate = process.env.GATE === 'true';

// Every test that needs no browser and no other package. With GATE=true it leaves out what the gate runs elsewhere.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: isGate ? beyondCore : ['test/**/*.test.ts'],
      exclude: isGate ? [...otherSuites, ...onPostgres] : otherSuites,
    },
  }),
);
