import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as client from 'lipsync-graphql-client';
import { describe, expect, test } from 'vitest';
import { readMarkdown } from '../support/markdown.ts';
import { blocksOf, pageOf, root } from './pages.ts';

const snippets = blocksOf('ts', 'tsx', 'js');

/** A line that stands for lines left out. */
const ellipsis = /^\/\/ …\n/m;

describe('works', () => {
  test.each(snippets)('$file, line $block.line: code of a file that tests run', ({ block }) => {
    const path = join(root, block.role);
    expect(block.role).not.toBe('');
    expect(existsSync(path)).toBe(true);
    const source = readFileSync(path, 'utf8');
    let from = 0;
    for (const part of block.text.split(ellipsis)) {
      const at = source.indexOf(part, from);
      expect(at, `not in ${block.role} in this order:\n${part}`).toBeGreaterThanOrEqual(0);
      from = at + part.length;
    }
  });

  const functions = Object.keys(client)
    .filter((name) => /Lipsyncs?(OrThrow)?$|^uploadFile$|^importUpload$|^viewer$/.test(name))
    .toSorted();
  const readme = readFileSync(join(root, 'packages/client/README.md'), 'utf8');

  test.each([
    ['docs/clients.md', pageOf('docs/clients.md')],
    ['packages/client/README.md', readMarkdown(readme)],
  ])('%s names every function of the kit and no other', (_, { rows }) => {
    const named = rows.flatMap(([cell = '']) =>
      [...cell.matchAll(/`(\w+)\(server/g)].map(([, name]) => name),
    );
    expect(named.toSorted()).toEqual(functions);
  });
});
