import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app?.stop());

const program = join(
  import.meta.dirname,
  'node_modules/@modelcontextprotocol/conformance/dist/index.js',
);

async function runScenario(name: string): Promise<string> {
  const url = `${app.url.replace('127.0.0.1', 'localhost')}/mcp`;
  const args = [program, 'server', '--url', url, '--scenario', name];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return output;
}

/*
 * The scenarios that any server with tools can pass. The others call tools, prompts and resources of their own that a server
 * under test has to have, or need sessions.
 */
test.each([
  ['server-initialize', 1],
  ['ping', 1],
  ['tools-list', 1],
  ['dns-rebinding-protection', 2],
])('%s', async (name, count) => {
  expect(await runScenario(name)).toContain(`Passed: ${count}/${count}, 0 failed, 0 warnings`);
});
