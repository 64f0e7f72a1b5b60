import { readFile } from 'node:fs/promises';
import { findChanges, findUnnamed } from './changes.ts';
import { findBrokenPromises, findUndated, reasonForm } from './deprecations.ts';

/*
 * `npm run diff`: compares schema.graphql with the schema of the last release in
 * docs/released.graphql. Fails on a breaking change that CHANGELOG.md does not name, on a deprecation
 * without a last day, and on a removal before that day.
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
