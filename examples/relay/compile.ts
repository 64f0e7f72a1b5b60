import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/*
 * `npm run relay` in examples/: generates `__generated__`; with `-- --validate` it only checks that it is up to date. The
 * compiler reads `client.graphql`: `schema.graphql` is a subgraph, with federation directives that the compiler does not
 * accept and without `node`.
 */
const root = join(import.meta.dirname, '..');
const compiler = join(root, 'node_modules/relay-compiler/cli.js');
execFileSync(process.execPath, [compiler, 'relay.config.json', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  // In a Git repository the compiler would also stage its output.
  env: { ...process.env, GIT_DIR: join(root, 'node_modules/.cache/none') },
});
