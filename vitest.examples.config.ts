import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// Apollo Client, urql, Relay and EventSource, from a package of their own: the server's install has none of them.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      globalSetup: ['test/support/examples-setup.ts'],
      include: ['examples/test/**/*.test.ts'],
    },
  }),
);
