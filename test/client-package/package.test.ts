import { cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { pageOf } from '../docs/pages.ts';
import { type LipsyncApp, startLipsyncApp } from '../support/lipsync-app.ts';
import { readMarkdown } from '../support/markdown.ts';
import { type startProject, tool } from './project.ts';
import { startReactProject } from './react-versions.ts';
import { backendSource, pageSource } from './sources.ts';

/** Other versions of Node than the one that runs the tests. */
const nodes = { 20: tool('node-20/bin/node'), 22: tool('node-22/bin/node'), 24: process.execPath };
const importsOf = {
  import: "import * as client from 'lipsync-graphql-client';",
  require: "const client = require('lipsync-graphql-client');",
};
const matrix = Object.entries(nodes).flatMap(([version, node]) =>
  Object.entries(importsOf).map(([system, load]) => ({ version, node, system, load })),
);

let project: Awaited<ReturnType<typeof startProject>>;
let hooks: Awaited<ReturnType<typeof startReactProject>>['hooks'];
let app: LipsyncApp;
beforeAll(async () => {
  app = await startLipsyncApp();
  ({ project, hooks } = await startReactProject('19'));
});
afterAll(async () => {
  await app?.stop();
  await project?.[Symbol.asyncDispose]();
});

/** What the tests below found, in the words of the tables in docs/clients.md: a row for each key, a cell for each value. */
const found: Record<string, string[]> = {};
function record(row: string, cell: string): void {
  found[row] = [...(found[row] ?? []), cell];
}

const extensionOf = (system: string) => (system === 'import' ? 'mjs' : 'cjs');

/** A whole job, over each transport that this version of Node has. */
const program = `
async function main() {
  const { url, videoId } = process.env;
  const input = { video: { videoId }, speech: { script: { text: 'Hello.' } } };
  const answers = [];
  for (const transport of [client.serverSentEvents(), client.webSocket()]) {
    const end = await client.makeLipsync({ url, transport }, input).catch((error) => error);
    answers.push(end.outcome ?? end.message);
  }
  console.log(JSON.stringify({ version: process.versions.node, answers }));
}
main();`;

describe('runs', () => {
  test.each(matrix)('in Node $version by $system, to a finished video', async (cell) => {
    const file = `job-${cell.version}.${extensionOf(cell.system)}`;
    await project.write(file, cell.load + program);
    const [videoId = ''] = await app.listVideoIds();
    const printed = await project.run(cell.node, [file], { url: `${app.url}/graphql`, videoId });
    const { version, answers } = JSON.parse(printed) as { version: string; answers: string[] };
    expect(version.split('.')[0]).toBe(cell.version);
    // Node has a WebSocket of its own from version 22.
    const bySocket = cell.version === '20' ? /no global WebSocket/ : /^COMPLETED$/;
    expect(answers).toEqual(['COMPLETED', expect.stringMatching(bySocket)]);
    const transports = ['server-sent events', 'WebSocket'];
    const working = transports.filter((_, at) => answers[at] === 'COMPLETED');
    record(`\`${cell.system}\``, working.join(', '));
  });

  test.each(matrix)('in Node $version by $system, with every name', async (cell) => {
    const sources = {
      '': await import('lipsync-graphql-client'),
      '/server': await import('lipsync-graphql-client/server'),
      '/react': hooks,
    };
    for (const [subpath, source] of Object.entries(sources)) {
      const file = `names.${extensionOf(cell.system)}`;
      const load = cell.load.replace('-client', `-client${subpath}`);
      await project.write(file, `${load} console.log(Object.keys(client).sort().join());`);
      const names = (await project.run(cell.node, [file])).trim().split(',');
      expect(names).toEqual(Object.keys(source).toSorted());
    }
  });
});

const resolutions = [
  { resolution: 'nodenext', module: 'nodenext', extension: 'ts' },
  { resolution: 'nodenext', module: 'nodenext', extension: 'cts' },
  { resolution: 'bundler', module: 'esnext', extension: 'ts' },
];
const rootTool = (path: string) => join(import.meta.dirname, '../../node_modules', path);
const compilers = {
  5: tool('typescript/bin/tsc'),
  6: rootTool('typescript/bin/tsc6'),
  7: rootTool('@typescript/native/bin/tsc'),
};
const compilations = Object.entries(compilers).flatMap(([typescript, tsc]) =>
  resolutions.map((each) => ({ ...each, typescript, tsc })),
);

describe('compiles', () => {
  test.each(compilations)(
    'with TypeScript $typescript, resolution $resolution, in a .$extension file',
    async ({ tsc, resolution, module, extension }) => {
      const file = `frontend.${extension}`;
      const source = join(import.meta.dirname, '../client/consumer/exhaustive.ts');
      await cp(source, join(project.folder, file));
      const backend = `backend.${extension}`;
      await project.write(backend, backendSource);
      const page = `page.${extension}`;
      await project.write(page, pageSource);
      const options = {
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        noPropertyAccessFromIndexSignature: true,
        verbatimModuleSyntax: extension !== 'cts',
        skipLibCheck: false,
        noEmit: true,
        target: 'es2022',
        lib: ['es2022', 'dom', 'dom.iterable'],
        types: [],
        module,
        moduleResolution: resolution,
      };
      await project.write(
        'tsconfig.json',
        json({ compilerOptions: options, files: [file, backend, page] }),
      );
      expect(await project.run(process.execPath, [tsc, '-p', '.'])).toBe('');
      record(`\`${resolution}\`, a .${extension} file`, 'compiles');
    },
  );
});

/** Builds a page and returns its JavaScript. */
async function bundleByVite(page: string): Promise<string> {
  await project.write('index.html', '<script type="module" src="./page.js"></script>');
  await project.write('page.js', page);
  await project.run(process.execPath, [tool('vite/bin/vite.js'), 'build', '--logLevel', 'error']);
  const assets = join(project.folder, 'dist/assets');
  const scripts = (await readdir(assets)).filter((name) => name.endsWith('.js'));
  return (await Promise.all(scripts.map((name) => readFile(join(assets, name))))).join('');
}

describe('is bundled', () => {
  test('by Vite, with the transport that is used and within 9 kB', async () => {
    const exports = ['makeLipsync', 'uploadFile', 'cancelLipsync', 'serverSentEvents'];
    const code = await bundleByVite(
      `import { ${exports} } from 'lipsync-graphql-client';\nglobalThis.kit = { ${exports} };`,
    );
    expect(code).toContain('text/event-stream');
    expect(code).not.toContain('graphql-transport-ws');
    expect(gzipSync(code).length).toBeLessThan(9_000);
  });

  test('by Vite, with the hooks, the React of the page and no other transport', async () => {
    const code = await bundleByVite(`
      import { serverSentEvents } from 'lipsync-graphql-client';
      import * as hooks from 'lipsync-graphql-client/react';
      globalThis.kit = { serverSentEvents, ...hooks };
    `);
    expect(code).toContain('text/event-stream');
    expect(code).toContain('Put the component into a LipsyncProvider.');
    expect(code).not.toContain('graphql-transport-ws');
    // One copy: the kit's errors are the same classes in both subpaths.
    expect(code.split('The stream ended before the lip-sync did.')).toHaveLength(2);
  });
});

describe('keeps out', () => {
  test('React from everything but /react', async () => {
    const dist = join(project.folder, 'node_modules/lipsync-graphql-client/dist');
    const names = (await readdir(dist)).filter((name) => /\.([cm]js|d\.[cm]ts)$/.test(name));
    const texts = await Promise.all(names.map((name) => readFile(join(dist, name), 'utf8')));
    const importing = names.filter((_, at) => /["']react["']/.test(texts[at] ?? ''));
    expect(importing.toSorted()).toEqual(['react.cjs', 'react.d.cts', 'react.d.mts', 'react.mjs']);
    const first = texts[names.indexOf('react.mjs')];
    expect(first).toMatch(/^"use client";/);
  });
});

describe('is a sound package', () => {
  test('for publint, which warns of nothing', async () => {
    const folder = join(project.folder, 'node_modules/lipsync-graphql-client');
    await project.run(process.execPath, [tool('publint/src/cli.js'), folder, '--strict']);
  });

  test('for attw: types and code agree for every resolution that reads exports', async () => {
    const attw = tool('@arethetypeswrong/cli/dist/index.js');
    await project.run(process.execPath, [attw, inject('tarball'), '--profile', 'node16']);
  });

  test('with no dependencies, and with the licences of the code that is built in', async () => {
    const folder = join(project.folder, 'node_modules/lipsync-graphql-client');
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    expect(manifest).toMatchObject({ license: 'MIT', sideEffects: false });
    expect(manifest.dependencies).toBeUndefined();
    expect(manifest.private).toBeUndefined();
    const licences = await readFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), 'utf8');
    expect(licences).toContain('eventsource-parser');
    const readme = await readFile(join(folder, 'README.md'), 'utf8');
    expect(
      readMarkdown(readme).links,
      'the package has no page on the web, and no docs in it',
    ).toEqual([]);
    const files = (await readdir(folder, { recursive: true })).toSorted();
    expect(files.filter((name) => name.endsWith('.ts') && !name.includes('.d.'))).toEqual([]);
    expect(files.filter((name) => name.endsWith('js')).length).toBeGreaterThan(1);
    for (const name of files.filter((each) => /client\.[cm]js$/.test(each))) {
      expect(files).toContain(`${name}.map`);
    }
  });
});

describe('docs/clients.md', () => {
  test('has a table of what was found here', () => {
    const rows = Object.entries(found).map(([row, cells]) => [row, ...cells]);
    expect(rows.length).toBe(5);
    expect(pageOf('docs/clients.md').rows).toEqual(expect.arrayContaining(rows));
  });
});

function json(value: object): string {
  return JSON.stringify(value);
}
