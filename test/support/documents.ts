import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type GraphQLSchema, parse, validate } from 'graphql';
import { readMarkdown } from './markdown.ts';

const root = join(import.meta.dirname, '../..');
const folders = ['docs', 'examples', 'packages/client/src', 'src/demo', 'src/server', 'test'];

/** Every text in quotes or backticks, which is more than the GraphQL documents. */
const quoted = /`((?:[^`\\]|\\.)*)`|'((?:[^'\\\n]|\\.)*)'/g;

/** Every valid GraphQL document in the pages, the examples, the client kit and the tests. */
export async function readDocuments(schema: GraphQLSchema): Promise<string[]> {
  const files = await Promise.all(folders.map(listFiles));
  const texts = await Promise.all([join(root, 'README.md'), ...files.flat()].map(readTexts));
  const documents = new Set(texts.flat().map((text) => text.trim()));
  return [...documents].filter((text) => text.includes('{') && isValid(schema, text)).toSorted();
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.(md|tsx?|graphql)$/.test(entry.name))
    .filter(({ parentPath }) => !parentPath.includes('node_modules'))
    .map(({ parentPath, name }) => join(parentPath, name));
}

async function readTexts(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8');
  if (file.endsWith('.graphql')) return [text];
  if (file.endsWith('.md')) {
    const { blocks } = readMarkdown(text);
    return blocks.filter(({ language }) => language === 'graphql').map((block) => block.text);
  }
  return [...text.matchAll(quoted)].map(([, template, string]) => template ?? string ?? '');
}

export function isValid(schema: GraphQLSchema, text: string): boolean {
  try {
    return validate(schema, parse(text)).length === 0;
  } catch {
    return false;
  }
}
