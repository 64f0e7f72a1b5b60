import { globSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { cruise, type ICruiseResult, type IFlattenedRuleSet } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const config = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as IFlattenedRuleSet & {
  options: object;
};

/** The most files that a reader can keep in mind at once. */
const maxFilesInFolder = 20;

/** The folder whose store alone reads and writes the table. Other slices ask its service or a view that it declares. */
const tableOwners: Record<string, string> = {
  accounts: 'src/domains/accounts',
  erasures: 'src/domains/lipsyncs',
  waiting_counts: 'src/domains/lipsyncs',
  waiting_credits: 'src/domains/lipsyncs',
  usage_days: 'src/domains/lipsyncs',
  id_prefixes: 'src/domains/videos',
  lipsync_events: 'src/domains/lipsyncs',
  lipsyncs: 'src/domains/lipsyncs',
  open_streams: 'src/domains/quotas',
  owner_videos: 'src/domains/videos',
  owner_erasures: 'src/domains/owners',
  query_costs: 'src/domains/quotas',
  refusals: 'src/domains/lipsyncs',
  settings: 'src/database',
  uploads: 'src/domains/uploads',
  videos: 'src/domains/videos',
  webhook_deliveries: 'src/domains/webhooks',
  webhook_keys: 'src/domains/webhooks',
  webhook_receivers: 'src/domains/webhooks',
};

/** `store.ts`, `account-store.ts`, a file in a folder `store`, and everything in `src/database`. */
const isStore = (file: string) =>
  /(^|\/)([\w-]+-)?store\.ts$|\/store\/[^/]+\.ts$|^src\/database\//.test(file);

const startsAsSql =
  /^\s*(select\s(?!a\b)|insert\s+into\s|update\s+\w+\s+(\w+\s+)?set\s|delete\s+from\s|with\s+(recursive\s+)?\w+\s+as\s|lock\s+table\s)/i;

const tableInSql = new RegExp(
  `\\b(?:from|join|into|update|table|using)\\s+(${Object.keys(tableOwners).join('|')})\\b`,
  'gi',
);

let files: { path: string; literals: string[] }[];
beforeAll(async () => {
  const names = await readdir(join(root, 'src'), { recursive: true });
  const paths = names.filter((name) => name.endsWith('.ts')).map((name) => `src/${name}`);
  files = await Promise.all(
    paths.toSorted().map(async (path) => ({
      path,
      literals: literalsOf(await readFile(join(root, path), 'utf8')),
    })),
  );
});

/** The text of every string and template; what a template interpolates is left out. */
function literalsOf(source: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) found.push(node.text);
    if (ts.isTemplateExpression(node)) {
      found.push(
        [node.head, ...node.templateSpans.map((span) => span.literal)]
          .map(({ text }) => text)
          .join('$'),
      );
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('x.ts', source, ts.ScriptTarget.Latest));
  return found;
}

const tablesIn = (literals: string[]): string[] => [
  ...new Set(
    literals.flatMap((text) => [...text.matchAll(tableInSql)].map(([, table = '']) => table)),
  ),
];

// dependency-cruiser 17 finds no file under TypeScript 7 and then reports no violation.
test('dependency-cruiser reads every file of src and finds no violation', async () => {
  const { output } = await cruise(
    ['src'],
    { ...config.options, baseDir: root, validate: true, ruleSet: config },
    undefined,
    { tsConfig: extractTSConfig(join(root, 'tsconfig.json')) },
  );
  const { modules, summary } = output as ICruiseResult;
  const seen = modules.filter(({ source }) => /^src\/.*\.ts$/.test(source));
  expect(seen.length).toBe(files.length);
  expect(summary.violations).toEqual([]);
});

describe('keeps out', () => {
  test('folders of src and of the client with more than 20 TypeScript files directly in them', () => {
    const paths = [
      ...files.map(({ path }) => path),
      ...globSync('packages/client/src/**/*.ts', { cwd: root }),
    ];
    const byFolder = Map.groupBy(paths, (path) => path.slice(0, path.lastIndexOf('/')));
    const crowded = [...byFolder]
      .filter(([, inside]) => inside.length > maxFilesInFolder)
      .map(([folder]) => folder);
    expect(crowded).toEqual([]);
  });

  test('SQL outside of stores', () => {
    const outside = files
      .filter(
        ({ path, literals }) => !isStore(path) && literals.some((text) => startsAsSql.test(text)),
      )
      .map(({ path }) => path);
    expect(outside).toEqual([]);
  });

  test("SQL on another slice's table", () => {
    const foreign = files
      .filter(({ path }) => !path.startsWith('src/database/'))
      .flatMap(({ path, literals }) =>
        tablesIn(literals)
          .filter((table) => !path.startsWith(`${tableOwners[table]}/`))
          .map((table) => `${path}: ${table}`),
      );
    expect(foreign).toEqual([]);
  });

  test('tables without an owner', async () => {
    const folder = join(root, 'src/database/migrations');
    const migrations = await Promise.all(
      (await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')),
    );
    const created = migrations.flatMap((sql) => [
      ...[...sql.matchAll(/\bcreate table (?:if not exists )?(\w+)/gi)].map(([, name]) => name),
    ]);
    expect(created.toSorted()).toEqual(Object.keys(tableOwners).toSorted());
  });
});

describe('recognises', () => {
  test.each([
    'select 1',
    '\n  insert into uploads (id) values ($1)',
    'update lipsyncs l set status = $1',
    'delete from refusals',
    'with due as (select 1) select * from due',
  ])('%j as SQL', (text) => {
    expect(text).toMatch(startsAsSql);
  });

  test.each(['Select a voice.', 'Update the page.', 'with a token', 'insert', 'selected'])(
    '%j as plain text',
    (text) => {
      expect(text).not.toMatch(startsAsSql);
    },
  );
});
