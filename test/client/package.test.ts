import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import * as client from 'lipsync-graphql-client';
import { describe, expect, test } from 'vitest';
import { bundleClient } from '../support/client-bundle.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** What only this transport says. */
const wordsOf = { sse: 'text/event-stream', webSocket: 'graphql-transport-ws' };

describe('works', () => {
  test('a stranger’s frontend compiles, and every outcome that it forgets does not', async () => {
    const project = join(import.meta.dirname, 'consumer');
    const { stdout } = await run(join(root, 'node_modules/.bin/tsc'), ['-p', project]).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  });

  test('Node runs it as it is', async () => {
    const program =
      "import * as client from 'lipsync-graphql-client'; console.log(Object.keys(client).join())";
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
      cwd: root,
    });
    expect(stdout.trim().split(',').toSorted()).toEqual(Object.keys(client).toSorted());
  });

  test('a browser takes all of it in 11 kB', async () => {
    const code = await bundleClient(Object.keys(client));
    expect(gzipSync(code).length).toBeLessThan(11_000);
    expect(code).not.toMatch(/require\(|from"|process\./);
  });
});

describe('keeps out', () => {
  test('what is not used: each function brings only what it needs', async () => {
    const ask = await bundleClient(['createLipsync', 'uploadFile', 'cancelLipsync']);
    expect(ask).not.toContain(wordsOf.sse);
    expect(ask).not.toContain(wordsOf.webSocket);
    const sse = await bundleClient(['makeLipsync', 'serverSentEvents']);
    expect(sse).toContain(wordsOf.sse);
    expect(sse).not.toContain(wordsOf.webSocket);
    const socket = await bundleClient(['makeLipsync', 'webSocket']);
    expect(socket).toContain(wordsOf.webSocket);
    expect(socket).not.toContain(wordsOf.sse);
    expect(gzipSync(await bundleClient(['resumable'])).length).toBeLessThan(400);
  });
});
