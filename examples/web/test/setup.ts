import { join } from 'node:path';
import { build } from 'vite';

/** Builds the page once for all tests, as it is deployed: with NODE_ENV of the tests it would have React's development build. */
export async function setup(): Promise<void> {
  const { NODE_ENV } = process.env;
  process.env.NODE_ENV = 'production';
  await build({ root: join(import.meta.dirname, '..'), logLevel: 'error' });
  process.env.NODE_ENV = NODE_ENV;
}
