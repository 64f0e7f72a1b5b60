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

  test('the whole kit is below 13 kB gzipped in a browser', async () => {
    const code = await bundleClient(Object.keys(client));
    expect(gzipSync(code).length).toBeLessThan(13_000);
    expect(code).not.toMatch(/require\(|from"|process\./);
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
