import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Block, type Page, readMarkdown } from '../support/markdown.ts';

export const root = join(import.meta.dirname, '../..');

/** Every document of the repository. */
export const files = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

export const pages: ReadonlyMap<string, Page> = new Map(
  files.map((file) => [file, readMarkdown(readFileSync(join(root, file), 'utf8'))]),
);

export function pageOf(file: string): Page {
  const page = pages.get(file);
  if (page === undefined) throw new Error(`There is no ${file}.`);
  return page;
}

export type PlacedBlock = { file: string; block: Block };

export function blocksOf(...languages: string[]): PlacedBlock[] {
  return [...pages].flatMap(([file, { blocks }]) =>
    blocks.filter(({ language }) => languages.includes(language)).map((block) => ({ file, block })),
  );
}

export function allSpans(): string[] {
  return [...pages.values()].flatMap(({ spans }) => spans);
}

/** The commands of a shell block. A backslash at the end of a line continues the command. */
export function commandsIn({ text }: Block): string[] {
  return text.split(/(?<!\\)\n/).filter((command) => command !== '');
}

/** Where the documents say that the server is. */
export const documentedUrl = 'http://127.0.0.1:4000';

/** Fields with random characters, which can look like a code: four capitals in one of 37 cases. */
const randomFields = new Set(['hint']);

/**
 * Replaces values that may differ by their kind: numbers, free text, ids, addresses. Type names, codes, statuses, booleans
 * and nulls stay, so a document must state them exactly.
 */
export function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, shapeOfField(key, each)]),
    );
  }
  if (typeof value === 'string') return /^[A-Z]+(_[A-Z]+)*$/.test(value) ? value : 'text';
  return typeof value === 'number' ? 'number' : value;
}

function shapeOfField(key: string, value: unknown): unknown {
  if (key === '__typename') return value;
  return randomFields.has(key) ? 'text' : shapeOf(value);
}
