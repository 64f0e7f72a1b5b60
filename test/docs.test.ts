import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { isEnumType, isInterfaceType, Kind, OperationTypeNode, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig, variableNames } from '../src/config.ts';
import {
  type LipsyncStatus,
  lipsyncStatuses,
  mayFollow,
} from '../src/domains/lipsyncs/lifecycle.ts';
import { phrases } from '../src/sandbox/phrases.ts';
import { schema } from '../src/schema.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import type { Result, Variables } from './support/graphql-client.ts';
import { type Block, type Page, readMarkdown } from './support/markdown.ts';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);

function readPage(file: string): Page {
  return readMarkdown(readFileSync(join(root, file), 'utf8'));
}

const files = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const pages = new Map(files.map((file) => [file, readPage(file)]));

function pageOf(file: string): Page {
  const page = pages.get(file);
  if (page === undefined) throw new Error(`There is no ${file}.`);
  return page;
}

/**
 * Commands that another file runs, or that start a program which another file starts: the file, and a text in it that shows
 * this. A command that is neither here nor run below fails.
 */
const runElsewhere: Record<string, { file: string; words: string }> = {
  'npm ci && npm start': { file: 'test/release/commands.test.ts', words: "'npm start'" },
  'npm run web': { file: 'examples/web/test/start.test.ts', words: "['run', '-s', 'web']" },
  'npm run demo': { file: 'test/release/commands.test.ts', words: "finish('npm run demo')" },
  'npm ci && npm test': { file: '.ci/run', words: 'suite test\n' },
  'npm test': { file: '.ci/run', words: 'suite test\n' },
  'npm run check': { file: '.ci/run', words: 'npm run -s check' },
  'npm run test:postgres': { file: '.ci/run', words: 'suite test:postgres' },
  'npm run test:browser': { file: '.ci/run', words: 'suite test:browser' },
  // It takes ten minutes; `npm run test:chaos` has a short form.
  'npm run chaos': { file: 'test/chaos/chaos.test.ts', words: 'npm run chaos' },
  ...inACopy(
    'npm run format',
    'npm run schema',
    'npm run diff',
    'npm run conformance',
    'npm run fuzz -- --runs 300',
    'CONTRACT_UPSTREAM_URL=https://api.useapi.net/v2/pixverse CONTRACT_UPSTREAM_TOKEN=user:12345-… npm test -- test/contract',
    'CONTRACT_UPSTREAM_URL=https://api.useapi.net/v2/pixverse CONTRACT_UPSTREAM_TOKEN=user:12345-… CONTRACT_UPSTREAM_SPEND=true npm test -- test/contract',
  ),
};

const linked = { file: 'examples/package.json', words: '"lipsync-graphql": "file:.."' };

/** The same for commands inside sentences that are no short form of a command in a block. */
const spansRunElsewhere: Record<string, { file: string; words: string }> = {
  ...inACopy('npm start', 'npm run dev', 'npm run bench:client'),
  'npm ci': { file: '.ci/run', words: 'npm ci --no-audit' },
  'npm run bench': { file: '.ci/run', words: 'npm run -s bench' },
  // The full run takes half an hour; the number in the block makes it short.
  'npm run fuzz': { file: 'CONTRIBUTING.md', words: 'npm run fuzz -- --runs' },
  'npm run test:web': { file: '.ci/run', words: 'suite test:web' },
  'npm run test:examples': { file: '.ci/run', words: 'suite test:examples' },
  'npm run test:federation': { file: '.ci/run', words: 'suite test:federation' },
  'npm run test:proxy': { file: '.ci/run', words: 'suite test:proxy' },
  'node examples/run.ts apollo': {
    file: 'examples/test/examples.test.ts',
    words: "'node examples/run.ts apollo'",
  },
  'node examples/node-script.ts speech.mp3 <video id>': {
    file: 'examples/test/examples.test.ts',
    words: "'node-script.ts'",
  },
  // Its output is for people.
  'node examples/web/test/pictures.ts <folder>': {
    file: 'examples/web/test/pictures.ts',
    words: '`node test/pictures.ts <folder>`',
  },
  // The first step of `npm run test:examples` and `npm run test:web`.
  'npm install <folder of this repository>': linked,
  'npm install <folder>': linked,
};

function inACopy(...commands: string[]): Record<string, { file: string; words: string }> {
  return Object.fromEntries(
    commands.map((command) => [command, { file: 'test/release/commands.test.ts', words: command }]),
  );
}

/** The URL of the server in the pages. */
const documentedUrl = 'http://127.0.0.1:4000';

const hasCurl = (process.env.PATH ?? '').split(':').some((each) => existsSync(join(each, 'curl')));

function blocksOf(language: string): { file: string; block: Block }[] {
  return [...pages].flatMap(([file, { blocks }]) =>
    blocks.filter((block) => block.language === language).map((block) => ({ file, block })),
  );
}

const commands = blocksOf('sh').flatMap(({ file, block }) =>
  block.text
    .split('\n')
    .filter((line) => line !== '')
    .map((command) => ({ file, command })),
);

type Operation = {
  line: number;
  query: string;
  variables: Record<string, string>;
  answers: unknown[];
};

/** Each operation of a page with the blocks after it, up to the next operation. */
function operationsOf({ blocks }: Page): Operation[] {
  const operations: Operation[] = [];
  for (const { language, role, text, line } of blocks) {
    const last = operations.at(-1);
    if (language === 'graphql') operations.push({ line, query: text, variables: {}, answers: [] });
    if (language !== 'json' || last === undefined) continue;
    if (role === 'variables') last.variables = JSON.parse(text) as Record<string, string>;
    if (role === 'answer') last.answers = readAnswers(text);
  }
  return operations;
}

/** One answer over several lines, or one answer per line, as of a subscription. */
function readAnswers(text: string): unknown[] {
  const isOneEach = text.startsWith('{ "') && text.trim().split('\n').length > 1;
  return (isOneEach ? text.trim().split('\n') : [text]).map((each): unknown => JSON.parse(each));
}

/**
 * Replaces values that can differ by their kind: numbers, free text, ids, URLs. Names of types, codes and statuses,
 * booleans and nulls stay and must be equal.
 */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [
        key,
        key === '__typename' ? each : shapeOf(each),
      ]),
    );
  }
  if (typeof value === 'string') return /^[A-Z]+(_[A-Z]+)*$/.test(value) ? value : 'text';
  return typeof value === 'number' ? 'number' : value;
}

describe.each(files.filter((file) => operationsOf(pageOf(file)).length > 0))('%s', (file) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({ sandbox: { queuedMs: 200, generatingMs: 1_500 } });
  });
  afterAll(() => app.stop());

  test.each(operationsOf(pageOf(file)))('line $line answers as written', async (operation) => {
    const { query, answers } = operation;
    const variables = await fill(app, operation.variables);
    const results = isSubscription(query)
      ? await watch(app, query, variables)
      : [await app.ask(query, variables)];
    const given = results.map(({ data, errors }) => ({ data, errors }));
    const shapes = given.map((each) => shapeOf(JSON.parse(JSON.stringify(each))));
    if (answers.length === 0) expect(given.filter(({ errors }) => errors)).toEqual([]);
    for (const answer of answers) expect(shapes).toContainEqual(shapeOf(answer));
    if (isSubscription(query)) expect(shapes.at(-1)).toEqual(shapeOf(answers.at(-1)));
  });
});

/** From the second event of the log, so that the start time of the subscription does not matter. */
async function watch(app: TestApp, query: string, variables: Variables): Promise<Result[]> {
  const { data } = await app.ask<{ lipsync: { events: { nodes: { cursor: string }[] } } }>(
    'query ($id: ID!) { lipsync(id: $id) { events(first: 1) { nodes { cursor } } } }',
    variables,
  );
  const cursor = data?.lipsync.events.nodes[0]?.cursor ?? '';
  const events = app.watchSse(query, variables, { headers: { 'last-event-id': cursor } });
  return Array.fromAsync(events, (event) => event.data);
}

function isSubscription(query: string): boolean {
  const [operation] = parse(query).definitions;
  return (
    operation?.kind === Kind.OPERATION_DEFINITION &&
    operation.operation === OperationTypeNode.SUBSCRIPTION
  );
}

/** Replaces an id that a page cuts off with `…` by an id of the app with the same type. */
async function fill(app: TestApp, variables: Record<string, string>): Promise<Variables> {
  const { data } = await app.ask<{
    videos: { nodes: { id: string }[] };
    lipsyncs: { nodes: { id: string }[] };
    accounts: { nodes: { id: string }[] };
  }>(`{
    videos(first: 1, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } }
    lipsyncs(first: 1) { nodes { id } }
    accounts { ... on AccountList { nodes { id } } }
  }`);
  const ids: Record<string, string | undefined> = {
    Video: data?.videos.nodes[0]?.id,
    Lipsync: data?.lipsyncs.nodes[0]?.id,
    Account: data?.accounts.nodes[0]?.id,
  };
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => {
      if (!value.endsWith('…')) return [name, value];
      const [type = ''] = Buffer.from(value, 'base64url').toString('utf8').split(':');
      expect(ids[type], `an id for ${value}`).toBeDefined();
      return [name, ids[type]];
    }),
  );
}

/** A lone option of the command that the sentence is about. */
function isPart(span: string): boolean {
  return span === 'node --import';
}

describe('commands', () => {
  const isRunHere = (command: string) => /^(node -p|curl) /.test(command);

  test('each is run here or in a file of this table', () => {
    expect(commands.length).toBeGreaterThan(0);
    const forgotten = commands.filter(
      ({ command }) => !isRunHere(command) && runElsewhere[command] === undefined,
    );
    expect(forgotten).toEqual([]);
    const shown = new Set(commands.map(({ command }) => command));
    expect(Object.keys(runElsewhere).filter((command) => !shown.has(command))).toEqual([]);
  });

  test('each command inside a sentence is run too', () => {
    const here = new Set(commands.map(({ command }) => command));
    const spans = allSpans().filter((span) => /^(npm|npx|node) [a-z-]/.test(span));
    const forgotten = spans.filter(
      (span) => !here.has(span) && spansRunElsewhere[span] === undefined && !isPart(span),
    );
    expect(forgotten).toEqual([]);
    expect(Object.keys(spansRunElsewhere).filter((span) => !spans.includes(span))).toEqual([]);
  });

  test.each(Object.entries({ ...runElsewhere, ...spansRunElsewhere }))(
    '%s',
    (_, { file, words }) => {
      expect(readFileSync(join(root, file), 'utf8')).toContain(words);
    },
  );

  test.each(commands.filter(({ command }) => command.startsWith('node ')))(
    '$file: $command',
    async ({ command }) => {
      const { stdout } = await run('sh', ['-c', command], { cwd: root });
      expect(stdout).toMatch(/^\S{32} [0-9a-f]{64}\n$/);
    },
  );

  test.skipIf(!hasCurl).each(commands.filter(({ command }) => command.startsWith('curl ')))(
    '$file: $command',
    async ({ command }) => {
      await using app = await startTestApp();
      const { stdout } = await run('sh', ['-c', command.replaceAll(documentedUrl, app.url)]);
      expect(stdout).toBe('{"status":"ready"}');
    },
  );

  test('each npm script in the pages exists', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...commands.map(({ command }) => command), ...allSpans()].flatMap((text) =>
      [...text.matchAll(/npm run ([\w:]+)/g)].flatMap(([, name]) => name ?? []),
    );
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

function allSpans(): string[] {
  return [...pages.values()].flatMap(({ spans }) => spans);
}

describe('names', () => {
  test.each([...pages])('%s has no broken links', (file, { links }) => {
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? file : join(dirname(file), path);
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !pageOf(target).anchors.has(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('each path in the pages exists', () => {
    const paths = allSpans().filter((span) => /^(src|test|docs)\//.test(span));
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test('names in capitals are existing variables, codes or values', () => {
    const enums = Object.values(schema.getTypeMap()).filter(isEnumType);
    const known = new Set<string>([
      ...variableNames,
      ...enums.flatMap((type) => type.getValues().map(({ name }) => name)),
      ...phrases.map(({ name }) => name),
      // Of documents and transports.
      ...['GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED', 'INTERNAL_SERVER_ERROR'],
      ...['UNSUPPORTED_CONTENT_TYPE', 'FOREIGN_ORIGIN', 'DOCUMENT_NOT_TRUSTED', 'TOKEN_IN_URL'],
      ...['SERVER_STOPPING', 'CALLBACK_REFUSED', 'TOO_MANY_OPERATIONS', 'TOO_MANY_FILES'],
      // Of the tests.
      ...['CHROMIUM', 'TEST_POSTGRES_URL', 'NGINX'],
      // Of the examples.
      ...['LIPSYNC_URL'],
      // Of other projects.
      ...['PATH', 'EBADENGINE', 'NOTIFY', 'LISTEN', 'ID'],
    ]);
    const named = allSpans().filter((span) => /^[A-Z]+(_[A-Z]+)*$/.test(span));
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test('the README lists the folders of src', () => {
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `src/${name}`);
    const shown = pageOf('README.md').links.filter((link) => link.startsWith('src/'));
    expect(shown.toSorted()).toEqual(folders.toSorted());
  });

  test('the pages list the phrases of the sandbox', () => {
    const shown = pageOf('README.md').rows.filter(([cell]) => cell?.startsWith('`[['));
    expect(shown).toEqual(phrases.map(({ name, description }) => [`\`[[${name}]]\``, description]));
  });

  test('each type of failure has a section', () => {
    const LipsyncError = schema.getType('LipsyncError');
    const types = isInterfaceType(LipsyncError) ? schema.getPossibleTypes(LipsyncError) : [];
    const shown = pageOf('docs/errors.md').headings.filter((heading) => heading.endsWith('Error`'));
    expect(shown.toSorted()).toEqual(types.map(({ name }) => `\`${name}\``).toSorted());
  });

  test.each(blocksOf('dotenv'))('$file: the variables start the server live', ({ block }) => {
    const given = parseEnv(block.text.replaceAll('<sha256>', '0'.repeat(64)));
    expect(Object.keys(given).filter((name) => !isVariable(name))).toEqual([]);
    expect(readConfig({ ...given }).mode).toBe('live');
  });

  test('the diagram of a lip-sync has the transitions of lifecycle.ts', () => {
    const [drawing] = pageOf('docs/architecture.md').blocks.filter(
      ({ language }) => language === 'mermaid',
    );
    const arrows = [...(drawing?.text ?? '').matchAll(/(\w+) --> (\w+)(?: : (.*))?$/gm)];
    const drawn = arrows.map(([, from, to, label]) => toArrow(from, to, label === 'late truth'));
    expect(drawn.toSorted()).toEqual(allArrows().toSorted());
  });
});

function isVariable(name: string): boolean {
  return variableNames.some((each) => each === name);
}

function toArrow(from: string | undefined, to: string | undefined, isLate: boolean): string {
  return `${from} → ${to}${isLate ? ', late' : ''}`;
}

/** The late FAILED → FAILED does not change the status and is not drawn. */
function allArrows(): string[] {
  const pairs = lipsyncStatuses.flatMap((from) => lipsyncStatuses.map((to) => [from, to] as const));
  const isLate = (from: LipsyncStatus, to: LipsyncStatus) =>
    from !== to && mayFollow(from, to, true) && !mayFollow(from, to);
  return pairs.flatMap(([from, to]) => {
    if (mayFollow(from, to)) return [toArrow(from, to, false)];
    return isLate(from, to) ? [toArrow(from, to, true)] : [];
  });
}
