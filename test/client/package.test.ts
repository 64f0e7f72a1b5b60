import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import * as client from 'lipsync-graphql-client';
import { describe, expect, test } from 'vitest';
import { bundleClient } from '../support/client-bundle.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** A string that only this transport contains. */
const markerOf = { sse: 'text/event-stream', webSocket: 'graphql-transport-ws' };

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

  test.each([
    { transport: 'serverSentEvents', other: 'webSocket', maxBytes: 9_000 },
    // The client of graphql-ws is 1.5 kB larger than the parser of event streams.
    { transport: 'webSocket', other: 'serverSentEvents', maxBytes: 10_600 },
  ])(
    'the whole kit with $transport is below $maxBytes bytes gzipped in a browser',
    async ({ other, maxBytes }) => {
      const code = await bundleClient(Object.keys(client).filter((name) => name !== other));
      expect(gzipSync(code).length).toBeLessThan(maxBytes);
      expect(code).not.toMatch(/require\(|from"|process\./);
    },
  );
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
