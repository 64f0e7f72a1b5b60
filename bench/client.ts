/**
 * Measures how much JavaScript of the client kit a browser loads, by the functions in use, and compares it with the
 * examples that do the same job with other libraries. Minified by rolldown, in kB, plain and gzipped. Exits with 1 if the
 * whole kit with one transport is larger than `maxKb`. The other libraries are measured if `npm run test:examples` has
 * installed them.
 *
 *     npm run bench:client
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bundle, bundleClient } from '../test/support/client-bundle.ts';

/** Of everything with one transport, and so of each of its uses. Every kB delays the first paint of a page. */
const maxKb = 9;

const transports = ['serverSentEvents', 'webSocket'];

const job = ['makeLipsync', 'uploadFile', 'cancelLipsync'];
const uses: Record<string, string[]> = {
  'createLipsync alone': ['createLipsync'],
  'upload, make and watch, by server-sent events': [...job, 'serverSentEvents'],
  'upload, make and watch, by WebSocket': [...job, 'webSocket'],
  'resumable, for another library': ['resumable', 'retryWait'],
};

const examples = join(import.meta.dirname, '../examples');
const others: Record<string, string> = {
  'Apollo Client, make and watch': 'apollo.ts',
  'urql, make and watch': 'urql.ts',
  'Relay, make and watch': 'relay/relay.ts',
};

function report(name: string, code: string): number {
  const kb = (bytes: number) => (bytes / 1000).toFixed(1).padStart(6);
  const gzipped = gzipSync(code).length;
  process.stdout.write(`${name.padEnd(50)}${kb(code.length)} kB, gzipped ${kb(gzipped)} kB\n`);
  return gzipped / 1000;
}

for (const [name, exports] of Object.entries(uses)) {
  if (report(name, await bundleClient(exports)) > maxKb) process.exitCode = 1;
}
const everything = Object.keys(await import('../packages/client/src/client.ts'));
for (const transport of transports) {
  const names = everything.filter((name) => name === transport || !transports.includes(name));
  if (report(`everything, with ${transport}`, await bundleClient(names)) > maxKb)
    process.exitCode = 1;
}

if (existsSync(join(examples, 'node_modules'))) {
  for (const [name, file] of Object.entries(others)) {
    report(name, await bundle(`export { makeVideo } from '${join(examples, file)}';`));
  }
}
