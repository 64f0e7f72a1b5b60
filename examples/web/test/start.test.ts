import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findFreePort } from '../../../test/support/free-port.ts';
import { openBrowser } from './browser.ts';
import { visit } from './visit.ts';

const root = join(import.meta.dirname, '../../..');

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

test('`npm run web` serves the page with a sandbox, even if a token of the real service is set', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-web-'));
  const { PATH, HOME } = process.env;
  const port = String(await findFreePort());
  const program = spawn('npm', ['run', '-s', 'web'], {
    cwd: root,
    env: { PATH, HOME, PORT: port, DATA_DIR: dataDir, USEAPI_TOKEN: 'user:1-never-used' },
    stdio: ['ignore', 'pipe', 'inherit'],
    // The signal goes to the process group, because npm may not forward it.
    detached: true,
  });
  const exited = once(program, 'close');
  const lines = createInterface({ input: program.stdout });
  let url = '';
  for await (const line of lines) {
    url = /The page is on (\S+),/.exec(line)?.[1] ?? '';
    if (url !== '') break;
  }
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);

  const { page, fill, submit, see, close } = await visit(browser, { line: { url } as never });
  await see('No lip-syncs here yet.');
  await fill('Hello from the command line.');
  await submit();
  await see('Your video is ready');
  await page.getByLabel('Your video').click();
  await page.waitForFunction(
    () => (document.querySelector('video[controls]') as HTMLVideoElement).currentTime > 0.2,
  );
  await close();

  process.kill(-(program.pid ?? 0), 'SIGTERM');
  await exited;
  await rm(dataDir, { recursive: true, force: true });
});
