import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';

type Entry = { optionalDependencies?: Record<string, string>; resolved?: string; link?: boolean };
const files = [
  'package-lock.json',
  'test/federation/package-lock.json',
  'examples/web/package-lock.json',
];
const lockfiles = await Promise.all(
  files.map(async (file) => {
    const text = await readFile(file, 'utf8');
    return { file, text, ...(JSON.parse(text) as { packages: Record<string, Entry> }) };
  }),
);

/** A package that lies in this repository is a link, and its address a folder. */
const isDownload = ({ resolved, link }: Entry) => resolved !== undefined && link !== true;

describe('works', () => {
  // npm drops those that it can't find while it writes the file, and then `npm ci` refuses the file everywhere.
  test.each(lockfiles)('the binaries for every platform are in $file', ({ packages }) => {
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
