import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';

type Entry = { optionalDependencies?: Record<string, string>; resolved?: string; link?: boolean };
const files = [
  'package-lock.json',
  'test/federation/package-lock.json',
  'test/deploy/package-lock.json',
  'test/mcp/package-lock.json',
  'test/client-package/package-lock.json',
  'test/mcp/package-lock.json',
  'examples/web/package-lock.json',
];
const lockfiles = await Promise.all(
  files.map(async (file) => {
    const text = await readFile(file, 'utf8');
    return { file, text, ...(JSON.parse(text) as { packages: Record<string, Entry> }) };
  }),
);

/** A package of this repository is a link to a folder. */
const isDownload = ({ resolved, link }: Entry) => resolved !== undefined && link !== true;

describe('works', () => {
  // npm omits packages that it cannot reach while it writes the file; `npm ci` then rejects the file everywhere.
  test.each(lockfiles)('$file contains the binaries for every platform', ({ packages }) => {
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
  test.each(lockfiles)('download addresses from $file', ({ packages, text }) => {
    expect(Object.values(packages).filter(isDownload)).toEqual([]);
    expect(text).not.toMatch(/https?:\/\/[^"]*\.tgz/);
  });
});
