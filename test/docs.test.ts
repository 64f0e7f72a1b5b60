import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { isEnumType, Kind, OperationTypeNode, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { variableNames } from '../src/config/variables.ts';
import { readConfig } from '../src/config.ts';
import {
  canTransition,
  type LipsyncStatus,
  lipsyncStatuses,
} from '../src/domains/lipsyncs/lifecycle.ts';
import { phrases } from '../src/sandbox/faults/phrases.ts';
import { schema } from '../src/schema.ts';
import {
  allSpans,
  blocksOf,
  commandsIn,
  files,
  pageOf,
  pages,
  root,
  shapeOf,
} from './docs/pages.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import type { Result, Variables } from './support/graphql-client.ts';
import type { Page } from './support/markdown.ts';

const run = promisify(execFile);

/** Where a command of a document is run: a file, and a text in that file that shows it. */
type TestedIn = { file: string; words: string };

const inACopy = (command: string): [string, TestedIn] => [
  command,
  { file: 'test/release/commands.test.ts', words: command },
];
const npmStart: TestedIn = { file: 'test/e2e/npm-start.test.ts', words: "spawn('npm', ['start']" };
const inTheGate = (script: string): [string, TestedIn] => [
  `npm run ${script}`,
  { file: '.ci/run', words: `suite ${script}` },
];

/**
 * Commands in blocks that another file runs, or that are run there by starting the same program. A command that is neither
 * here nor run below fails.
 */
const runElsewhere: Record<string, TestedIn> = Object.fromEntries<TestedIn>([
  ['npm ci && npm start', npmStart],
  ['npm run web', { file: 'examples/web/test/start.test.ts', words: "['run', '-s', 'web']" }],
  ['npm run demo', { file: 'test/release/commands.test.ts', words: "finishWhole('npm run demo')" }],
  ['npm ci && npm test', { file: '.ci/run', words: 'suite test' }],
  ['npm test', { file: '.ci/run', words: 'suite test' }],
  ['npm run check', { file: '.ci/run', words: 'npm run -s check' }],
  ['npm ci --prefix examples', { file: 'test/support/install.ts', words: "'--prefix', folder" }],
  [
    'npx node examples/run.ts apollo',
    { file: 'examples/test/examples.test.ts', words: "'node examples/run.ts apollo'" },
  ],
  ['npm run build:client', { file: 'test/client-package/setup.ts', words: "'build:client'" }],
  [
    'WEBHOOK_SECRET=whsec_… npx node examples/webhook-receiver.ts',
    { file: 'test/docs/webhook-receiver.test.ts', words: "'whsec_…'" },
  ],
  ...blocksOf('sh')
    .filter(({ file }) => file === 'docs/rotation.md')
    .flatMap(({ block }) => commandsIn(block))
    .filter((command) => !command.startsWith('node '))
    .map((command): [string, TestedIn] => [
      command,
      { file: 'test/docs/rotation.test.ts', words: 'docs/rotation.md' },
    ]),
  inACopy('npm run format'),
  inACopy('npm run schema'),
  inACopy('npm run diff'),
  inACopy('npm run conformance'),
  inACopy('npm run doctor'),
  inACopy('npm run backup -- lipsync.backup'),
  inACopy('npm run restore -- lipsync.backup'),
  inACopy('npm run -s doctor -- --json'),
  inACopy('npm run doctor -- --probe'),
  inACopy('npm run fuzz -- --runs 20'),
  inACopy(
    'CONTRACT_UPSTREAM_URL=https://api.useapi.net/v2/pixverse CONTRACT_UPSTREAM_TOKEN=user:12345-… npm test -- test/contract',
  ),
  inACopy(
    'CONTRACT_UPSTREAM_URL=https://api.useapi.net/v2/pixverse CONTRACT_UPSTREAM_TOKEN=user:12345-… CONTRACT_UPSTREAM_SPEND=true npm test -- test/contract',
  ),
]);

/** The same for commands inside a sentence that are not in a block. */
const spansRunElsewhere: Record<string, TestedIn> = Object.fromEntries<TestedIn>([
  ['npm start', npmStart],
  inACopy('npm run dev'),
  inACopy('npm run bench:client'),
  // Measures times, which the gate does not judge on a shared machine.
  ['npm run bench:loop', { file: 'package.json', words: '"bench:loop":' }],
  ['npm run test:all', { file: 'package.json', words: '"test:all":' }],
  ['npm ci', { file: '.ci/run', words: 'npm ci --no-audit' }],
  ['npm run bench', { file: '.ci/run', words: 'npm run -s bench' }],
  ['npm run bench -- simulation', { file: '.ci/run', words: 'npm run -s bench -- --short' }],
  ['npm run bench -- notify', { file: '.ci/run', words: 'npm run -s bench -- --short' }],
  ['npm run bench -- start', { file: '.ci/run', words: 'npm run -s bench -- --short' }],
  [
    'npm run bench -- tracing',
    { file: 'bench/main.ts', words: "tracing: () => import('./tracing.ts')" },
  ],
  ['npm run sandbox', { file: 'package.json', words: 'node src/sandbox/main.ts' }],
  // Takes half an hour; the command in a block is a short form of it.
  ['npm run fuzz', { file: 'CONTRIBUTING.md', words: 'npm run fuzz -- --runs' }],
  ['npm run backup', { file: 'test/release/commands.test.ts', words: 'npm run backup' }],
  ['npm run restore', { file: 'test/release/commands.test.ts', words: 'npm run restore' }],
  // Takes half an hour; a short form of it is a test.
  ['npm run soak', { file: 'test/soak/soak.test.ts', words: 'npm run soak' }],
  [
    'npm run soak -- --minutes 11 --clients 6 --pauses --seed 23',
    { file: 'test/soak/soak.test.ts', words: 'npm run soak' },
  ],
  // Takes ten minutes; a short form of it is a test.
  ['npm run chaos', { file: 'test/chaos/chaos.test.ts', words: 'npm run chaos' }],
  inTheGate('test:web'),
  inTheGate('test:examples'),
  inTheGate('test:federation'),
  inTheGate('test:deploy'),
  inTheGate('test:mcp'),
  inTheGate('test:proxy'),
  inTheGate('test:package'),
  [
    'npm pack ./packages/client/build',
    { file: 'test/client-package/setup.ts', words: "'pack', './packages/client/build'" },
  ],
  ['npm run build:client', { file: 'test/client-package/setup.ts', words: "'build:client'" }],
  inTheGate('test:postgres'),
  [
    'npx node examples/node-script.ts speech.mp3 <video id>',
    { file: 'examples/test/examples.test.ts', words: "'node-script.ts'" },
  ],
  ['node src/doctor.ts', { file: 'test/deploy/production.test.ts', words: "['src/doctor.ts']" }],
  ['node src/backup.ts', { file: 'test/deploy/production.test.ts', words: "['src/backup.ts'," }],
  // For people to look at.
  [
    'npx node examples/web/test/screenshots.ts <folder>',
    { file: 'examples/web/test/screenshots.ts', words: '`node test/screenshots.ts <folder>`' },
  ],
]);

const commands = blocksOf('sh').flatMap(({ file, block }) =>
  commandsIn(block).map((command) => ({ file, command })),
);

type Operation = {
  line: number;
  query: string;
  variables: Record<string, string>;
  answers: unknown[];
};

/** Each operation of a page, with the variables and answers in the blocks after it. */
function operationsOf({ blocks }: Page): Operation[] {
  const operations: Operation[] = [];
  let isCommand = false;
  for (const { language, role, text, line } of blocks) {
    if (language === 'graphql') operations.push({ line, query: text, variables: {}, answers: [] });
    if (language !== 'json') isCommand = language === 'sh';
    const last = operations.at(-1);
    if (language !== 'json' || last === undefined || isCommand) continue;
    if (role === 'variables') last.variables = JSON.parse(text) as Record<string, string>;
    if (role === 'answer') last.answers = readAnswers(text);
  }
  return operations;
}

/** One answer over several lines, or one per line for a subscription. */
function readAnswers(text: string): unknown[] {
  const isOneEach = text.startsWith('{ "') && text.trim().split('\n').length > 1;
  return (isOneEach ? text.trim().split('\n') : [text]).map((each): unknown => JSON.parse(each));
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

/** Starts with the second event of the log, so that a late start of the subscription makes no difference. */
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

/** Replaces an id that a page cuts off with `…` by one of the app, of the type that its beginning names. */
async function fill(app: TestApp, variables: Record<string, string>): Promise<Variables> {
  const { data } = await app.ask<{
    videos: { nodes: { id: string }[] };
    lipsyncs: { nodes: { id: string }[] };
    accounts: { nodes: { id: string }[] };
  }>(`{
    videos(first: 1, filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { id } } }
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

/** An option alone, without its command. */
function isPart(span: string): boolean {
  return span === 'node --import';
}

describe('commands', () => {
  // `curl` commands are run in `docs/command-line.test.ts`.
  const isRunHere = (command: string) => /^(node -p|curl) /.test(command);

  test('every command in a block is run, here or in a file of this table', () => {
    expect(commands.length).toBeGreaterThan(0);
    const notRun = commands.filter(
      ({ command }) => !isRunHere(command) && runElsewhere[command] === undefined,
    );
    expect(notRun).toEqual([]);
    const shown = new Set(commands.map(({ command }) => command));
    expect(Object.keys(runElsewhere).filter((command) => !shown.has(command))).toEqual([]);
  });

  test('every command inside a sentence is run too', () => {
    const here = new Set(commands.map(({ command }) => command));
    const spans = allSpans().filter((span) => /^(npm|npx|node) [a-z-]/.test(span));
    const notRun = spans.filter(
      (span) => !here.has(span) && spansRunElsewhere[span] === undefined && !isPart(span),
    );
    expect(notRun).toEqual([]);
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

  test('the npm scripts that documents name exist, and CONTRIBUTING.md lists those that test', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...commands.map(({ command }) => command), ...allSpans()].flatMap((text) =>
      [...text.matchAll(/npm run ([\w:]+)/g)].flatMap(([, name]) => name ?? []),
    );
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
    const listed = pageOf('CONTRIBUTING.md').rows.flatMap(
      ([cell]) => /^`(test[\w:]*)`$/.exec(cell ?? '')?.[1] ?? [],
    );
    const tests = Object.keys(scripts).filter((name) => name.startsWith('test'));
    expect(listed.toSorted()).toEqual(tests.toSorted());
  });
});

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

  test.each([
    'listening',
    'the upstream could not be read',
    'No lip-sync can be created now',
    'the database is of a newer version',
  ])('docs/operations.md names the log message "%s" of the code', (message) => {
    expect(pageOf('docs/operations.md').spans).toContain(message);
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(root, 'src', name), 'utf8'));
    expect(sources.some((text) => text.includes(message))).toBe(true);
  });

  test('paths that documents name exist', () => {
    const paths = allSpans().filter((span) => /^(src|test|docs)\//.test(span));
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test('names in capitals are existing variables, codes or values', () => {
    const enums = Object.values(schema.getTypeMap()).filter(isEnumType);
    const known = new Set<string>([
      ...variableNames,
      ...enums.flatMap((type) => type.getValues().map(({ name }) => name)),
      ...phrases.map(({ phrase }) => phrase),
      // Request errors: `docs/errors.test.ts` compares their table with the code.
      ...pageOf('docs/errors.md').rows.flatMap(([cell]) =>
        [...(cell ?? '').matchAll(/`([A-Z_]+)`/g)].flatMap(([, code]) => code ?? []),
      ),
      // Of the tests.
      ...['CHROMIUM', 'TEST_POSTGRES_URL', 'NGINX', 'PROMTOOL'],
      // Of the examples.
      ...['LIPSYNC_URL'],
      // Of compose.yaml.
      ...['POSTGRES_PASSWORD'],
      // OpenTelemetry reads them by itself.
      ...['OTEL_SERVICE_NAME', 'OTEL_RESOURCE_ATTRIBUTES'],
      ...['HEADERS', 'TIMEOUT', 'COMPRESSION', 'CERTIFICATE'].map(
        (name) => `OTEL_EXPORTER_OTLP_${name}`,
      ),
      // Of others.
      ...[
        'PATH',
        'EBADENGINE',
        'NODE_COMPILE_CACHE',
        // Of the changelog, which says what replaces it.
        'WEBHOOK_ALLOWED_NETWORKS',
        'NOTIFY',
        'LISTEN',
        'ID',
        'URL',
        'PUT',
        'GET',
        'POST',
        'DELETE',
        'QUEUE',
        'FAIL',
      ],
    ]);
    const named = allSpans().filter((span) => /^[A-Z]+(_[A-Z]+)*$/.test(span));
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test('CONTRIBUTING.md links to the folders of src', () => {
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `src/${name}`);
    const shown = pageOf('CONTRIBUTING.md').links.filter((link) => /^src\/[\w-]+$/.test(link));
    expect(shown.toSorted()).toEqual(folders.toSorted());
  });

  const live = readVariables(pageOf('README.md').blocks.find(isDotenv)?.text);

  test('the variables of the README start the server live', () => {
    expect(readConfig(live).mode).toBe('live');
  });

  test.each(blocksOf('dotenv'))('$file: the variables exist and have valid values', ({ block }) => {
    const given = readVariables(block.text);
    expect(Object.keys(given).filter((name) => !isVariable(name))).toEqual([]);
    expect(() => readConfig({ ...live, ...given })).not.toThrow();
  });

  test('the drawing of docs/architecture.md shows the life of lifecycle.ts', () => {
    const [drawing] = pageOf('docs/architecture.md').blocks.filter(
      ({ language }) => language === 'mermaid',
    );
    const arrows = [...(drawing?.text ?? '').matchAll(/(\w+) --> (\w+)(?: : (.*))?$/gm)];
    const drawn = arrows.map(([, from, to, label]) => toArrow(from, to, label === 'late result'));
    expect(drawn.toSorted()).toEqual(allArrows().toSorted());
  });
});

const isDotenv = ({ language }: { language: string }) => language === 'dotenv';

function readVariables(text = ''): NodeJS.Dict<string> {
  return parseEnv(text.replaceAll('<sha256>', '0'.repeat(64)));
}

function isVariable(name: string): boolean {
  return variableNames.some((each) => each === name);
}

function toArrow(from: string | undefined, to: string | undefined, isLate: boolean): string {
  return `${from} → ${to}${isLate ? ', late' : ''}`;
}

/** FAILED → FAILED after an unknown outcome changes no status and is not drawn. */
function allArrows(): string[] {
  const pairs = lipsyncStatuses.flatMap((from) => lipsyncStatuses.map((to) => [from, to] as const));
  const isLate = (from: LipsyncStatus, to: LipsyncStatus) =>
    from !== to && canTransition(from, to, true) && !canTransition(from, to);
  return pairs.flatMap(([from, to]) => {
    if (canTransition(from, to)) return [toArrow(from, to, false)];
    return isLate(from, to) ? [toArrow(from, to, true)] : [];
  });
}
