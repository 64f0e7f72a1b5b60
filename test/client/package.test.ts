import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import * as client from 'lipsync-graphql-client';
import { describe, expect, test } from 'vitest';
import { pageOf } from '../docs/pages.ts';
import { bundleClient } from '../support/client-bundle.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** A string that only this transport contains. */
const markerOf = { sse: 'text/event-stream', webSocket: 'graphql-transport-ws' };

const transports = ['serverSentEvents', 'webSocket'];
const everythingWith = (transport: string) =>
  Object.keys(client).filter((name) => name === transport || !transports.includes(name));
const jobWith = (transport: string) => ['makeLipsync', 'uploadFile', 'cancelLipsync', transport];

describe('works', () => {
  test('a frontend compiles against the kit, and a missing outcome is a type error', async () => {
    const project = join(import.meta.dirname, 'consumer');
    const { stdout } = await run(join(root, 'node_modules/.bin/tsc'), ['-p', project]).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  });

  test('Node imports it', async () => {
    const program =
      "import * as client from 'lipsync-graphql-client'; console.log(Object.keys(client).join())";
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
      cwd: root,
    });
    expect(stdout.trim().split(',').toSorted()).toEqual(Object.keys(client).toSorted());
  });

  test.each(transports)(
    'the whole kit with %s is below 9 kB gzipped in a browser',
    async (transport) => {
      const code = await bundleClient(everythingWith(transport));
      expect(gzipSync(code).length).toBeLessThan(9_000);
      expect(code).not.toMatch(/require\(|from"|process\./);
    },
  );

  test.each([
    { row: 'Size of upload, make and watch, gzipped', namesWith: jobWith },
    { row: 'Size of everything, gzipped', namesWith: everythingWith },
  ])('docs/clients.md has the measured size: $row', async ({ row, namesWith }) => {
    const [, ...sizes] = pageOf('docs/clients.md').rows.find(([name]) => name === row) ?? [];
    expect(sizes).toEqual(transports.map(() => expect.stringMatching(/^\d+\.\d kB$/)));
    for (const [at, transport] of transports.entries()) {
      const measuredKb = gzipSync(await bundleClient(namesWith(transport))).length / 1_000;
      const documentedKb = Number.parseFloat(sizes[at] ?? '');
      expect(Math.abs(documentedKb - measuredKb), `${transport}: ${measuredKb} kB`).toBeLessThan(
        0.3,
      );
    }
  });
});

describe('keeps out', () => {
  test('unused code: a bundle contains only the transport that is used', async () => {
    const ask = await bundleClient(['createLipsync', 'uploadFile', 'cancelLipsync']);
    expect(ask).not.toContain(markerOf.sse);
    expect(ask).not.toContain(markerOf.webSocket);
    const sse = await bundleClient(['makeLipsync', 'serverSentEvents']);
    expect(sse).toContain(markerOf.sse);
    expect(sse).not.toContain(markerOf.webSocket);
    const socket = await bundleClient(['makeLipsync', 'webSocket']);
    expect(socket).toContain(markerOf.webSocket);
    expect(socket).not.toContain(markerOf.sse);
    expect(gzipSync(await bundleClient(['resumable'])).length).toBeLessThan(400);
  });
});
