import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { readLipsync, requestLipsync } from './lipsync.ts';

const picture = join(import.meta.dirname, '../../docs/graphiql.png');
const mostPictureBytes = 250_000;

/** Where a Linux distribution puts it; CHROMIUM names another. */
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

let browser: Browser;
let app: TestApp;
let context: BrowserContext;
let page: Page;
/** Everything that the page asked of anybody, and everything it complained of. */
let asked: URL[];
let complaints: string[];

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath,
    // Nothing of the browser's own goes out either, so that a request to elsewhere is the page's.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
});

afterAll(() => browser.close());

beforeEach(async () => {
  app = await startTestApp();
  context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
  asked = [];
  complaints = [];
  page.on('request', (request) => asked.push(new URL(request.url())));
  page.on('websocket', (socket) => asked.push(new URL(socket.url())));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
});

afterEach(async () => {
  await context.close();
  await app.stop();
});

async function openGraphiql(): Promise<void> {
  await page.goto(`${app.url}/graphql`);
  // It reads the schema first: completion and documentation come from there.
  await page.getByRole('button', { name: /Execute query/ }).waitFor();
}

/** Opens a tab and presses its play button, which is all that a newcomer does. */
async function play(name: string): Promise<void> {
  const tab = page.getByRole('tablist').getByRole('button', { name, exact: true });
  await tab.click();
  await page.getByRole('tab', { selected: true, name }).waitFor();
  await settle(name);
  await page.getByRole('button', { name: /Execute query/ }).click();
}

/**
 * GraphiQL reads the operation's name out of a tab a tenth of a second after it was opened, and would send the last
 * tab's until then. No newcomer is that fast, and a later sign of the same is that it stores its tabs.
 */
async function settle(name: string): Promise<void> {
  await page.waitForFunction((wanted) => {
    const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem('graphiql:tabState') ?? '{}');
    return tabs?.[activeTabIndex]?.title === wanted;
  }, name);
}

/** @returns the answer that it got over HTTP */
async function playAndRead(name: string): Promise<unknown> {
  const [response] = await Promise.all([
    page.waitForResponse((each) => each.request().postDataJSON()?.operationName === name),
    play(name),
  ]);
  return response.json();
}

/** Waits until the response pane shows these words. Its editor draws spaces as U+00A0, and only the lines in view. */
async function seeResponse(...words: string[]): Promise<void> {
  const pane = page.locator('.graphiql-response');
  for (const each of words) {
    await pane.filter({ hasText: new RegExp(each.replaceAll(' ', '\\s')) }).waitFor();
  }
}

describe('GraphiQL', () => {
  describe('works', () => {
    test('shows the ready tabs, and each that asks or makes something answers at one click', async () => {
      await openGraphiql();
      const names = await page.getByRole('tab').allInnerTexts();
      expect(names).toEqual(['Voices', 'Videos', 'CreateLipsync', 'Watch', 'NoSuchPage']);

      expect(await playAndRead('Voices')).toHaveProperty('data.voices.nodes.length', 14);
      await seeResponse('"previewUrl"');

      expect(await playAndRead('Videos')).toHaveProperty('data.videos.nodes.0.id');
      await seeResponse('"durationSeconds"');

      expect(await playAndRead('CreateLipsync')).toHaveProperty(
        'data.createLipsync.__typename',
        'CreateLipsyncSuccess',
      );
      await seeResponse('"CreateLipsyncSuccess"', '"SUBMITTED"');

      expect(await playAndRead('NoSuchPage')).toHaveProperty('data.videos.code', 'INVALID_INPUT');
      await seeResponse('"InvalidInputError"');
    });

    test('knows @defer, and puts the parts of an answer together', async () => {
      const query = 'query Later { viewer { name } ... @defer { voices { __typename } } }';
      await page.goto(`${app.url}/graphql?${new URLSearchParams({ query })}`);
      const button = page.getByRole('button', { name: /Execute query/ });
      await button.waitFor();
      const [response] = await Promise.all([
        page.waitForResponse((each) => each.request().postDataJSON()?.operationName === 'Later'),
        button.click(),
      ]);
      expect(response.headers()['content-type']).toMatch(/^multipart\/mixed/);
      await seeResponse('"name": "anonymous"', '"__typename": "VoiceList"');
      expect(complaints).toEqual([]);
    });

    test('watches the newest lip-sync live, over a WebSocket, at one click', async () => {
      await app.turn({ endless: true });
      const id = await requestLipsync(app);
      await openGraphiql();
      const [socket] = await Promise.all([page.waitForEvent('websocket'), play('Watch')]);
      expect(new URL(socket.url()).pathname).toBe('/graphql');
      await seeResponse('"GENERATING"');

      await app.finishJobs();
      await seeResponse('"COMPLETED"', '"percent": 100', '"url"');
      expect(await readLipsync(app, id)).toMatchObject({ status: 'COMPLETED' });
      if (process.env.PICTURES !== undefined) await takePicture();
    });

    test('says with a typed error that there is no lip-sync to watch yet', async () => {
      await openGraphiql();
      await play('Watch');
      await seeResponse('"NOT_FOUND"', 'The lip-sync was not found');
    });

    test('opens with less ready tabs where the video service is out of order', async () => {
      await app.turn({ burst5xx: 1_000 });
      await openGraphiql();
      await play('Voices');
      await seeResponse('"UPSTREAM_UNAVAILABLE"');
    });
  });

  describe('keeps out', () => {
    test('everybody else: the page asks nobody but this server, and has nothing to complain of', async () => {
      await requestLipsync(app);
      await openGraphiql();
      await play('Voices');
      await seeResponse('"previewUrl"');
      await play('Watch');
      await seeResponse('"COMPLETED"');
      await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
      await page.getByText('Root Types').waitFor();

      const own = new URL(app.url).host;
      const hosts = asked.filter(({ protocol }) => !/^(blob|data):$/.test(protocol));
      expect([...new Set(hosts.map(({ host }) => host))]).toEqual([own]);
      expect(complaints).toEqual([]);
    });
  });
});

async function takePicture(): Promise<void> {
  await mkdir(join(picture, '..'), { recursive: true });
  await page.screenshot({ path: picture });
  expect((await stat(picture)).size).toBeLessThanOrEqual(mostPictureBytes);
}
