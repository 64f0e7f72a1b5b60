import { globSync, readFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { describe, expect, test } from 'vitest';
import { onPostgres } from '../vitest.all.config.ts';
import { beyondCore, otherSuites } from '../vitest.config.ts';
import postgres from '../vitest.postgres.config.ts';

const root = join(import.meta.dirname, '..');

// Listed once: some suites have packages of their own, with thousands of files.
const testFiles = globSync('test/**/*.test.ts', {
  cwd: root,
  exclude: (name) => name === 'node_modules',
});

const filesOf = (patterns: readonly string[] = []) =>
  testFiles.filter((file) => patterns.some((pattern) => matchesGlob(file, pattern)));

describe('the lists of the suites', () => {
  // A renamed file would join the core unnoticed.
  test.each([...otherSuites, ...beyondCore, ...onPostgres])('%s matches test files', (pattern) => {
    expect(filesOf([pattern])).not.toEqual([]);
  });

  const { include, exclude } = postgres.test ?? {};
  const excluded = new Set(filesOf(exclude));
  const runOnPostgres = new Set(filesOf(include).filter((file) => !excluded.has(file)));

  test('test:postgres runs what the gate leaves out of test:all', () => {
    expect(filesOf(onPostgres).filter((file) => !runOnPostgres.has(file))).toEqual([]);
  });

  test('test:postgres runs every file with tests that need PostgreSQL', () => {
    const needPostgres = testFiles.filter((file) =>
      /\.runIf\(postgresUrl/.test(readFileSync(join(root, file), 'utf8')),
    );
    expect(needPostgres.length).toBeGreaterThan(0);
    expect(needPostgres.filter((file) => !runOnPostgres.has(file))).toEqual([]);
  });
});
