import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { openLine } from '../support/line.ts';
import { createLipsync, readLipsync } from '../support/lipsyncs.ts';
import { openGraphiql } from './graphiql-page.ts';

const screenshotPath = join(import.meta.dirname, '../../docs/pictures/graphiql.png');
const maxScreenshotBytes = 250_000;

let browser: Browser;
let app: TestApp;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());
beforeEach(async () => {
  app = await startTestApp();
});
afterEach(() => app.stop());

type Created = { createLipsync: { __typename: string; lipsync: { id: string } } };

describe('works', () => {
  test('each default tab runs at one click, on an empty database and without copying ids; Watch gives NotFoundError until there is a lip-sync', async () => {
    await using graphiql = await openGraphiql(browser, app.url);
    expect(await graphiql.tabs()).toEqual([
      'Voices',
      'Videos',
      'CreateLipsync',
      'Watch',
      'CreateUpload',
      'NoSuchPage',
    ]);

    await graphiql.play('Watch');
    await graphiql.seeResponse('"NOT_FOUND"', 'The lip-sync was not found');

    expect(await graphiql.playAndRead('Voices')).toHaveProperty('data.voices.nodes.length', 14);
    await graphiql.seeResponse('"previewUrl"');

    expect(await graphiql.playAndRead('Videos')).toHaveProperty('data.videos.nodes.0.id');
    await graphiql.seeResponse('"durationSeconds"');

    // The service reports nothing before the answer, which says SUBMITTED.
    await app.turn({ queuedMs: 2_000 });
    const { data } = await graphiql.playAndRead('CreateLipsync');
    const { createLipsync } = data as Created;
    expect(createLipsync.__typename).toBe('CreateLipsyncSuccess');
    await graphiql.seeResponse('"CreateLipsyncSuccess"', '"SUBMITTED"');

    await graphiql.play('Watch');
    await graphiql.seeResponse('"COMPLETED"', '"percent": 100', '"url"');
    expect(JSON.parse(await graphiql.read('variables.json'))).toEqual({
      lipsync: createLipsync.lipsync.id,
    });

    expect(await graphiql.playAndRead('CreateUpload')).toHaveProperty(
      'data.createUpload.uploadUrl',
    );
    await graphiql.seeResponse('"CreateUploadSuccess"', '"WAITING"');

    expect(await graphiql.playAndRead('NoSuchPage')).toHaveProperty(
      'data.videos.code',
      'INVALID_INPUT',
    );
    await graphiql.seeResponse('"InvalidInputError"');
  });

  test('the Watch tab streams the newest lip-sync over a WebSocket at one click, which another tab closes', async () => {
    await app.turn({ endless: true });
    const { id } = await createLipsync(app);
    await using graphiql = await openGraphiql(browser, app.url);
    const [socket] = await Promise.all([
      graphiql.page.waitForEvent('websocket'),
      graphiql.play('Watch'),
    ]);
    expect(new URL(socket.url()).pathname).toBe('/graphql');
    await graphiql.seeResponse('"GENERATING"');
    await Promise.all([socket.waitForEvent('close'), graphiql.openTab('Voices')]);

    await graphiql.play('Watch');
    await graphiql.seeResponse('"GENERATING"');
    await app.finishJobs();
    await graphiql.seeResponse('"COMPLETED"', '"percent": 100', '"url"');
    expect(await readLipsync(app, id)).toMatchObject({ status: 'COMPLETED' });
    if (process.env.PICTURES !== undefined) await takeScreenshot(graphiql.page);
  });

  test('keeps the tabs and the open tab across a reload', async () => {
    await using graphiql = await openGraphiql(browser, app.url);
    const tabs = await graphiql.tabs();
    await graphiql.reload();
    expect(await graphiql.tabs()).toEqual(tabs);
    await graphiql.playAndRead('Videos');
    // GraphiQL stores its tabs half a second later.
    await graphiql.page.waitForFunction(
      () => JSON.parse(localStorage.getItem('graphiql:tabState') ?? '{}').activeTabIndex === 1,
    );
    await graphiql.reload();
    expect(await graphiql.tabs()).toEqual(tabs);
    await graphiql.page.getByRole('tab', { selected: true, name: 'Videos' }).waitFor();
  });

  test('a link with a query opens a tab before the default tabs', async () => {
    const query = new URLSearchParams({ query: 'query Mine { viewer { name } }' });
    await using graphiql = await openGraphiql(browser, app.url, `?${query}`);
    expect((await graphiql.tabs()).slice(0, 2)).toEqual(['Mine', 'Voices']);
    expect(await graphiql.playAndRead('Mine')).toEqual(
      expect.objectContaining({ data: { viewer: { name: expect.any(String) } } }),
    );
  });

  test('the stored tabs of an earlier visit work with a new database', async () => {
    await using line = await openLine(app.url);
    await using graphiql = await openGraphiql(browser, line.url);
    await graphiql.playAndRead('CreateLipsync');
    await graphiql.play('Watch');
    await graphiql.seeResponse('"COMPLETED"');
    await using other = await startTestApp({ sandbox: { token: 'user:4242-another' } });
    line.cut();
    line.leadTo(other.url);
    await graphiql.reload();
    const { data } = await graphiql.playAndRead('CreateLipsync');
    expect((data as Created).createLipsync.__typename).toBe('CreateLipsyncSuccess');
    await graphiql.play('Watch');
    await graphiql.seeResponse('"COMPLETED"');
  });

  test('opens while the video service fails, and fills in the ids when it works again', async () => {
    await app.turn({ burst5xx: 1_000 });
    await using graphiql = await openGraphiql(browser, app.url);
    await graphiql.play('Voices');
    await graphiql.seeResponse('"UPSTREAM_UNAVAILABLE"');
    await graphiql.openTab('CreateLipsync');
    expect(JSON.parse(await graphiql.read('variables.json'))).toMatchObject({ video: '' });

    await app.turn({ burst5xx: null });
    await graphiql.playAndRead('Videos');
    const { data } = await graphiql.playAndRead('CreateLipsync');
    expect((data as Created).createLipsync.__typename).toBe('CreateLipsyncSuccess');
  });
});

describe('keeps out', () => {
  test('the newest id from variables that the user has edited', async () => {
    await using graphiql = await openGraphiql(browser, app.url);
    await graphiql.openTab('Watch');
    await graphiql.write('variables.json', '{ "lipsync": "mine" }');
    // GraphiQL stores edits a moment later.
    await graphiql.page.waitForFunction(() =>
      localStorage.getItem('graphiql:tabState')?.includes('mine'),
    );
    await graphiql.playAndRead('CreateLipsync');
    await graphiql.openTab('Watch');
    expect(JSON.parse(await graphiql.read('variables.json'))).toEqual({ lipsync: 'mine' });
  });
});

async function takeScreenshot(page: Page): Promise<void> {
  await mkdir(join(screenshotPath, '..'), { recursive: true });
  await page.screenshot({ path: screenshotPath });
  expect((await stat(screenshotPath)).size).toBeLessThanOrEqual(maxScreenshotBytes);
}
