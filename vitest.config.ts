import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// A hundred and fifty processes load the same packages: the compiled code of one serves the next.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules/.cache/compile');

/** Suites with a configuration of their own: they need a browser, PostgreSQL, nginx or another package. */
export const otherSuites = [
  'test/browser/**',
  'test/federation/**',
  'test/deploy/**',
  'test/client-package/**',
  'test/mcp/**',
  'test/proxy/**',
  'test/e2e/instances/**',
];

/** Left out of `npm test`, which has three minutes on two slow cores; `npm run test:all` runs them too. */
export const beyondCore = [
  // Random histories against a model of the log: `npm run test:histories`.
  'test/domains/lipsyncs/histories/*.test.ts',
  // Kills the program at every point of its work: `npm run test:chaos`.
  'test/chaos/*.test.ts',
  // Random and mutated operations against the whole program: `npm run test:fuzz`.
  'test/fuzz/*.test.ts',
  // Minutes of traffic against the sandbox's faults: `npm run soak` is the long form.
  'test/soak/*.test.ts',
  // Long tables of attacks and of upstream failures: `npm run test:hostile`.
  'test/server/hostile/**/*.test.ts',
  'test/e2e/{failures,phrases}.test.ts',
  'test/callbacks/forged.test.ts',
  // Every command of the pages as written, in a copy of the repository: `npm run test:commands`.
  'test/release/*.test.ts',
  'test/e2e/demo.test.ts',
  // Hundreds of subscriptions, cuts and megabytes.
  'test/e2e/streams/*.test.ts',
  'test/client/watch-endurance.test.ts',
  'test/domains/lipsyncs/progress/{list-progress,log-watcher}.test.ts',
  'test/domains/lipsyncs/create/batch.test.ts',
  // Many starts of the whole program, and kills of it; `test:chaos` kills it at every point of its work.
  'test/e2e/restart.test.ts',
  'test/domains/lipsyncs/dispatch/restart.test.ts',
  'test/domains/webhooks/{app,restart}.test.ts',
  'test/domains/uploads/imports/restart.test.ts',
  'test/e2e/{lean-start,live,npm-start,start,start-reads}.test.ts',
  'test/database/lock.test.ts',
  // Waits for real intervals: polls, callbacks that never arrive, retries after 429, and the search for lost jobs.
  'test/domains/lipsyncs/dispatch/{accounts,external-load,fairness,queue,release-claim}.test.ts',
  'test/domains/lipsyncs/reconcile/{bounded-unknown,callbacks,callback-orders,give-up,misleading-states,outcome-unknown,polls,upstream-variants}.test.ts',
  'test/domains/webhooks/{deliveries,retries}.test.ts',
  'test/client/watch.test.ts',
  'test/server/{http/metric-outcomes,auth/revocation}.test.ts',
  // Clients that disconnect at every step of an operation.
  'test/domains/lipsyncs/{create,progress}/disconnect.test.ts',
  // Limits of cost, per day and in flight under a hundred simultaneous requests.
  'test/domains/lipsyncs/create/limits.test.ts',
  'test/domains/quotas/cost.test.ts',
  // Callbacks to federated routers, which the federation suite covers too.
  'test/server/sse/subscription-callback.test.ts',
  // Every phrase of the sandbox and its rendered videos.
  'test/sandbox/{phrases,results}.test.ts',
  // Bundles, compilations and uploads of the client kit; the core has its requests and subscriptions.
  'test/client/{operations,package,upload}.test.ts',
  // Validators of shared answers, leases of streams, and the events of a webhook beyond its delivery.
  'test/server/json/cache-control.test.ts',
  'test/domains/quotas/streams.test.ts',
  'test/domains/webhooks/events.test.ts',
  // Tens of thousands of due webhooks.
  'test/domains/webhooks/due.test.ts',
  // Creation and upgrade of database folders.
  'test/database/{embedded-folder,migrate,upgrade-uploads,upgrade-videos}.test.ts',
  // A database opened for each broken installation.
  'test/doctor/doctor.test.ts',
  // Backups of running installations, restored.
  'test/database/backup.test.ts',
  // Files of 300 MB, thirty kinds of sound, and servers that send files slowly, wrongly or never.
  'test/domains/uploads/{aiff,any-audio,hidden-types,memory,pauses,wav-sizes}.test.ts',
  'test/domains/uploads/imports/*.test.ts',
  'test/domains/lipsyncs/files/*.test.ts',
  // A hundred creations at once against accounts that can pay for twelve, and usage that is counted day by day.
  'test/domains/lipsyncs/create/credits.test.ts',
  'test/domains/lipsyncs/usage.test.ts',
  // Receivers of webhooks that never answer.
  'test/domains/webhooks/dead-receivers.test.ts',
  // DNS servers that never answer.
  'test/outbound/dns.test.ts',
  // V8 records which functions run.
  'test/docs/architecture.test.ts',
  // Upstreams that reject, one program for each; repairs after crashes; links whose secrets are rotated.
  'test/domains/lipsyncs/create/rejections.test.ts',
  'test/domains/lipsyncs/repair.test.ts',
  'test/server/http/results.test.ts',
  // The commands that rotate each secret.
  'test/docs/rotation.test.ts',
  // Waits for limits of time: of heads, bodies and silent clients, of tokens, and of clients before they sign in.
  'test/server/{auth/before-sign-in,auth/expiry,http/timeouts}.test.ts',
  // Hundreds of videos that come and go between pages, operations in flight, and the executor beside graphql-js.
  'test/domains/videos/paging.test.ts',
  'test/server/operation/operation-slots.test.ts',
  'test/graphql/execution.test.ts',
  // The tools of agents, the protocol suite of WebSockets, and collectors of traces that do not answer.
  'test/server/mcp/{tools,waits}.test.ts',
  'test/conformance/websocket.test.ts',
  'test/tracing/collectors.test.ts',
  'test/database/upgrade-usage.test.ts',
  // Two hundred thousand lip-syncs.
  'test/database/plans.test.ts',
];

export default defineConfig({
  resolve: {
    alias: [
      // One copy of graphql. Vite would take its ESM build for our files while Node takes the CJS build for Pothos and
      // @apollo/subgraph, and graphql refuses types "from another module or realm".
      {
        find: /^graphql$/,
        replacement: join(import.meta.dirname, 'node_modules/graphql/index.js'),
      },
    ],
  },
  test: {
    globalSetup: ['test/support/memory-folder.ts'],
    include: ['test/**/*.test.ts'],
    exclude: [...otherSuites, ...beyondCore],
    // As `npm start` does: otherwise V8 spends a fifth of the time on optimising the embedded database.
    execArgv: ['--liftoff-only'],
    // Test files share no module state worth isolating, and loading the schema again for each file takes a third of the run.
    isolate: false,
    // Tests wait for servers more than they compute: one worker more than cores keeps the cores busy.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The default of a second is too short on a busy machine.
    expect: { poll: { timeout: 60_000 } },
  },
});
