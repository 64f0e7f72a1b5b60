import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../examples');

/** The examples are a package of their own, which whoever only works on the server never installs. */
export function setup(): void {
  if (existsSync(join(root, 'node_modules/.package-lock.json'))) return;
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--prefix', root], { stdio: 'inherit' });
}
