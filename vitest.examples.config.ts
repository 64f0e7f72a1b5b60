import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

// Apollo Client, urql, Relay and EventSource, out of a package of their own: `npm run test:examples` installs it.
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ['examples/test/**/*.test.ts'],
    },
  }),
);
