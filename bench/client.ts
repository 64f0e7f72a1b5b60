/**
 * Measures the size of the client kit in a browser for several uses, and of other libraries for the same job. Minified by
 * rolldown, in kB, uncompressed and gzipped. Exits with 1 if the whole kit is larger than `maxKb` gzipped. The other
 * libraries are measured only if the examples are installed, as by `npm run test:examples`.
 *
 *     node bench/client.ts
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bundle, bundleClient } from '../test/support/client-bundle.ts';

/** Measured: 10.5. The kit is loaded before a page works, so growth must be deliberate. */
const maxKb = 11;

const job = ['makeLipsync', 'uploadFile', 'cancelLipsync'];
const uses: Record<string, string[]> = {
  'createLipsync alone': ['createLipsync'],
  'upload, create and follow, by server-sent events': [...job, 'serverSentEvents'],
  'upload, create and follow, by WebSocket': [...job, 'webSocket'],
  'resumable, for another library': ['resumable', 'retryWait'],
};

const examples = join(import.meta.dirname, '../examples');
const others: Record<string, string> = {
  'Apollo Client, create and follow': 'apollo.ts',
  'urql, create and follow': 'urql.ts',
  'Relay, create and follow': 'relay/relay.ts',
};

function report(name: string, code: string): number {
  const kb = (bytes: number) => (bytes / 1000).toFixed(1).padStart(6);
  const gzipped = gzipSync(code).length;
  process.stdout.write(`${name.padEnd(50)}${kb(code.length)} kB, gzipped ${kb(gzipped)} kB\n`);
  return gzipped / 1000;
}

for (const [name, exports] of Object.entries(uses)) report(name, await bundleClient(exports));
const everything = Object.keys(await import('../packages/client/src/client.ts'));
if (report('everything', await bundleClient(everything)) > maxKb) process.exitCode = 1;

if (existsSync(join(examples, 'node_modules'))) {
  for (const [name, file] of Object.entries(others)) {
    report(name, await bundle(`export { makeVideo } from '${join(examples, file)}';`));
  }
}
