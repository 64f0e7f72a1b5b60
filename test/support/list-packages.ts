import { registerHooks } from 'node:module';

// Preloaded into a program under test: prints the loaded packages to stderr on exit.

const packages = new Set<string>();
registerHooks({
  load(url, context, nextLoad) {
    const [, name] = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
    if (name !== undefined) packages.add(name);
    return nextLoad(url, context);
  },
});
process.on('exit', () => process.stderr.write(`packages: ${[...packages].sort().join(' ')}\n`));
