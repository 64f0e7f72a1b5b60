import { readFile } from 'node:fs/promises';
import { findChanges, findUnnamed } from './changes.ts';
import { findBrokenPromises, findUndated, reasonForm } from './deprecations.ts';

/*
 * `npm run diff`: what schema.graphql changes for those who use the last release, whose schema is kept in
 * docs/released.graphql. Fails where a change breaks somebody and CHANGELOG.md does not name it, where something is
 * deprecated without a day, and where it is gone before that.
 */
const [released = '', current = '', changelog = ''] = await Promise.all(
  ['docs/released.graphql', 'schema.graphql', 'CHANGELOG.md'].map((file) => readFile(file, 'utf8')),
);
const findings = await findChanges(released, current);
const lines = findings.map(
  ({ level, path, message }) => `${level.padEnd(10)}  ${path}: ${message}`,
);
process.stdout.write(`${lines.toSorted().join('\n') || 'Nothing has changed.'}\n`);

const today = new Date().toISOString().slice(0, 10);
const unnamed = findUnnamed(findings, changelog).map(({ path }) => path);
const complaints: [string, string[]][] = [
  ['CHANGELOG.md does not name what breaks', [...new Set(unnamed)]],
  [`The reason is not like "${reasonForm}"`, findUndated(current)],
  ['Promised for longer than today', findBrokenPromises(released, current, today)],
];
for (const [complaint, paths] of complaints) {
  if (paths.length === 0) continue;
  process.stderr.write(`${complaint}: ${paths.map((path) => `\`${path}\``).join(', ')}\n`);
  process.exitCode = 1;
}
