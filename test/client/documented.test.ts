import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as client from 'lipsync-graphql-client';
import { expect, test } from 'vitest';
import { readMarkdown } from '../support/markdown.ts';

const { blocks, rows } = readMarkdown(await readFile('docs/clients.md', 'utf8'));
const code = blocks.filter(({ language }) => language === 'ts');

test('docs/clients.md has code blocks, and all of them are TypeScript', () => {
  expect(code.length).toBeGreaterThan(10);
  expect(blocks).toEqual(code);
});

test.each(code)(
  'the block at line $line is quoted from $role, which tests run',
  async ({ role, text }) => {
    expect(existsSync(role)).toBe(true);
    expect(await readFile(role, 'utf8')).toContain(text);
  },
);

test('the table names every function of the kit', () => {
  const named = rows.flatMap(([cell]) => /^`(\w+)\(server/.exec(cell ?? '')?.[1] ?? []);
  const functions = Object.keys(client).filter((name) => /Lipsync$|^uploadFile$/.test(name));
  expect(named.toSorted()).toEqual(functions.toSorted());
});
