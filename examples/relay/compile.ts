import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { schema } from '../../src/schema.ts';

/**
 * `npm run relay`: writes `__generated__`; with `-- --validate` it only says whether that is as it should be. The
 * compiler takes the schema as an introspection of the server gives it: `schema.graphql` is a subgraph, whose
 * directives it does not read, and which leaves `node` to its gateway.
 */
const root = join(import.meta.dirname, '..');

// Of the server's own graphql: another copy takes no schema of that one.
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
  // Where it finds a repository it also stages what it writes.
  env: { ...process.env, GIT_DIR: join(cache, 'none') },
});
