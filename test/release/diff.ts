import { readFile } from 'node:fs/promises';
import { findChanges, findUnnamed } from './changes.ts';

/*
 * `npm run diff`: what schema.graphql changes for those who use the last release, whose schema is kept in
 * docs/released.graphql. Fails where a change breaks somebody and CHANGELOG.md does not name it.
 */
const [released, current, changelog] = await Promise.all(
  ['docs/released.graphql', 'schema.graphql', 'CHANGELOG.md'].map((file) => readFile(file, 'utf8')),
);
const findings = await findChanges(released ?? '', current ?? '');
const unnamed = findUnnamed(findings, changelog ?? '');
const lines = findings.map(
  ({ level, path, message }) => `${level.padEnd(10)}  ${path}: ${message}`,
);
process.stdout.write(`${lines.toSorted().join('\n') || 'Nothing has changed.'}\n`);
if (unnamed.length > 0) {
  const paths = unnamed.map(({ path }) => `\`${path}\``).join(', ');
  process.stderr.write(`CHANGELOG.md does not name what breaks: ${paths}\n`);
  process.exitCode = 1;
}
