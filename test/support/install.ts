import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

/*
 * `node test/support/install.ts <folder>`: installs the package of that folder unless it is installed and its lockfile
 * unchanged. Packages that only examples and some tests need are not part of the root's `npm ci`.
 */
const [, , name = '.'] = process.argv;
const folder = join(import.meta.dirname, '../..', name);

function timeOf(file: string): number {
  return statSync(join(folder, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

// npm writes this file last.
if (timeOf('node_modules/.package-lock.json') < timeOf('package-lock.json')) {
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--prefix', folder], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  process.exitCode = status ?? 1;
}
