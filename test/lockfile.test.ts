import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';

type Entry = { optionalDependencies?: Record<string, string>; resolved?: string };
const text = await readFile('package-lock.json', 'utf8');
const { packages } = JSON.parse(text) as { packages: Record<string, Entry> };

describe('works', () => {
  // npm drops those that it can't find while it writes the file, and then `npm ci` refuses the file everywhere.
  test('the binaries for every platform are in the lockfile', () => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) =>
          !(`node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages),
      ),
    );
    expect(missing).toEqual([]);
  });
});

describe('keeps out', () => {
  test('download addresses from the lockfile', () => {
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
    expect(text).not.toMatch(/https?:\/\/[^"]*\.tgz/);
  });
});
