import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

/*
 * `node test/support/install.ts <folder>`: installs the package of that folder where it was not, or where its lockfile
 * has changed since. What only examples and some of the tests need is no part of the root's `npm ci`.
 */
const [, , name = '.'] = process.argv;
const folder = join(import.meta.dirname, '../..', name);

function timeOf(file: string): number {
  return statSync(join(folder, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

// npm writes this one last.
if (timeOf('node_modules/.package-lock.json') < timeOf('package-lock.json')) {
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--prefix', folder], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  process.exitCode = status ?? 1;
}
