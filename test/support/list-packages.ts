import { registerHooks } from 'node:module';

// Preloaded into a program under test: when it ends, it says on stderr which packages it had read.

const packages = new Set<string>();
registerHooks({
  load(url, context, nextLoad) {
    const [, name] = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
    if (name !== undefined) packages.add(name);
    return nextLoad(url, context);
  },
});
process.on('exit', () => process.stderr.write(`packages: ${[...packages].sort().join(' ')}\n`));
