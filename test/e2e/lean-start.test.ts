import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startProgram } from '../support/program.ts';

/** Prints at the end of the process which packages were loaded. */
const recorder = `
  import { registerHooks } from 'node:module';
  import { writeSync } from 'node:fs';
  const loaded = new Set();
  registerHooks({
    load(url, context, next) {
      loaded.add(/.*node_modules\\/((@[^/]+\\/)?[^/]+)/.exec(url)?.[1]);
      return next(url, context);
    },
  });
  process.on('exit', () => writeSync(2, 'loaded: ' + [...loaded].join(' ') + '\\n'));
`;

// Each of them delayed the first answer of every start, and few processes need all of them.
const optional = [
  '@modelcontextprotocol/server',
  'graphql-yoga',
  'prom-client',
  'file-type',
  'music-metadata',
  'jose',
];

/** Loaded only with an endpoint for traces. */
const tracing = '@opentelemetry/';

it('answers a query before the packages for pages, metrics and files are loaded', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-start-'));
  const program = startProgram({
    PORT: '0',
    DATA_DIR: dataDir,
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(recorder)}`,
  });
  try {
    const { data } = await (await program.client()).ask('{ viewer { name } }');
    expect(data).toEqual({ viewer: { name: 'anonymous' } });
  } finally {
    await program.kill('SIGTERM');
    await rm(dataDir, { recursive: true, force: true });
  }
  const [, packages = ''] = /^loaded: (.*)$/m.exec(program.output) ?? [];
  const loaded = packages.split(' ');
  expect(loaded).toContain('graphql');
  expect(loaded.filter((name) => optional.includes(name))).toEqual([]);
  // pg-boss imports the interface, which does nothing without an SDK.
  expect(loaded.filter((name) => name.startsWith(tracing))).toEqual(['@opentelemetry/api']);
});
