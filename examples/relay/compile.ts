import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { schema } from '../../src/schema.ts';

/*
 * `npm run relay` in examples/: generates `__generated__`; with `-- --validate` it only checks that it is up to date. The
 * compiler needs the schema as introspection returns it: `schema.graphql` is a subgraph, with federation directives that
 * the compiler does not accept and without `node`.
 */
const root = join(import.meta.dirname, '..');

// From the server's copy of graphql: another copy rejects its schema objects.
const { printSchema } = createRequire(join(root, '../package.json'))(
  'graphql',
) as typeof import('graphql');

const cache = join(root, 'node_modules/.cache');
mkdirSync(cache, { recursive: true });
writeFileSync(join(cache, 'relay-schema.graphql'), printSchema(schema));
const compiler = join(root, 'node_modules/relay-compiler/cli.js');
execFileSync(process.execPath, [compiler, 'relay.config.json', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  // In a Git repository the compiler would also stage its output.
  env: { ...process.env, GIT_DIR: join(cache, 'none') },
});
