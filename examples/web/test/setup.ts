import { join } from 'node:path';
import { build } from 'vite';

/** The page that all the tests look at, as it is served to people. */
export async function setup(): Promise<void> {
  await build({ root: join(import.meta.dirname, '..'), logLevel: 'error' });
}
