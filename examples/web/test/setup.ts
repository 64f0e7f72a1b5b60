import { join } from 'node:path';
import { build } from 'vite';

/** Builds the page once for all tests, as it is deployed. */
export async function setup(): Promise<void> {
  await build({ root: join(import.meta.dirname, '..'), logLevel: 'error' });
}
