/**
 * How much of the client kit a browser loads, by what is used of it, beside what the examples load with other
 * libraries for the same job. Minified by rolldown, in kB as they are and gzipped. It exits with 1 where all of the kit
 * is larger than `mostKb`. The others are measured where the examples are installed: `npm run test:examples` does that.
 *
 *     node bench/client.ts
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bundle, bundleClient } from '../test/support/client-bundle.ts';

/** Measured: 10.5. A page waits for nobody's convenience. */
const mostKb = 11;

const job = ['makeLipsync', 'uploadFile', 'cancelLipsync'];
const uses: Record<string, string[]> = {
  'createLipsync alone': ['createLipsync'],
  'upload, make and follow, by server-sent events': [...job, 'serverSentEvents'],
  'upload, make and follow, by WebSocket': [...job, 'webSocket'],
  'resumable, for another library': ['resumable', 'retryWait'],
};

const examples = join(import.meta.dirname, '../examples');
const others: Record<string, string> = {
  'Apollo Client, make and follow': 'apollo.ts',
  'urql, make and follow': 'urql.ts',
  'Relay, make and follow': 'relay/relay.ts',
};

function report(name: string, code: string): number {
  const kb = (bytes: number) => (bytes / 1000).toFixed(1).padStart(6);
  const gzipped = gzipSync(code).length;
  process.stdout.write(`${name.padEnd(50)}${kb(code.length)} kB, gzipped ${kb(gzipped)} kB\n`);
  return gzipped / 1000;
}

for (const [name, exports] of Object.entries(uses)) report(name, await bundleClient(exports));
const everything = Object.keys(await import('../packages/client/src/client.ts'));
if (report('everything', await bundleClient(everything)) > mostKb) process.exitCode = 1;

if (existsSync(join(examples, 'node_modules'))) {
  for (const [name, file] of Object.entries(others)) {
    report(name, await bundle(`export { makeVideo } from '${join(examples, file)}';`));
  }
}
