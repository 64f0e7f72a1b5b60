import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');

test('the page passes the type check, with query types from the current schema', async () => {
  const bin = join(root, 'node_modules/.bin');
  await run(join(bin, 'gql-tada'), ['generate-output'], { cwd: root });
  const { stdout } = await run(join(bin, 'tsc'), [], { cwd: root }).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe('');
});

test('the page imports nothing of the server except the kit', async () => {
  const names = await readdir(join(root, 'src'), { recursive: true });
  const files = names.filter((name) => /\.tsx?$/.test(name));
  expect(files.length).toBeGreaterThan(30);
  const texts = await Promise.all(files.map((name) => readFile(join(root, 'src', name), 'utf8')));
  const imported = texts.flatMap((text) =>
    [...text.matchAll(/from '([^']+)'/g)].map(([, from]) => from),
  );
  const outside = imported.filter(
    (from) => from?.includes('../../') || from?.startsWith('lipsync'),
  );
  expect(new Set(outside)).toEqual(
    new Set(['lipsync-graphql-client', 'lipsync-graphql-client/react']),
  );
});
