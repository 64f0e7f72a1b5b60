import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { openLine } from '../support/line.ts';
import { openGraphiql } from './graphiql-stage.ts';
import { readLipsync, requestLipsync } from './lipsync.ts';

const picture = join(import.meta.dirname, '../../docs/pictures/graphiql.png');
const mostPictureBytes = 250_000;

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
  test('every ready tab answers at one click, from an empty database on and without an id to copy', async () => {
    await using it = await openGraphiql(browser, app.url);
    expect(await it.tabs()).toEqual([
      'Voices',
      'Videos',
      'CreateLipsync',
      'Watch',
      'CreateUpload',
      'NoSuchPage',
    ]);

    expect(await it.playAndRead('Voices')).toHaveProperty('data.voices.nodes.length', 14);
    await it.seeResponse('"previewUrl"');

    expect(await it.playAndRead('Videos')).toHaveProperty('data.videos.nodes.0.id');
    await it.seeResponse('"durationSeconds"');

    const { data } = await it.playAndRead('CreateLipsync');
    const { createLipsync } = data as Created;
    expect(createLipsync.__typename).toBe('CreateLipsyncSuccess');
    await it.seeResponse('"CreateLipsyncSuccess"', '"SUBMITTED"');

    await it.play('Watch');
    await it.seeResponse('"COMPLETED"', '"percent": 100', '"url"');
    expect(JSON.parse(await it.read('variables.json'))).toEqual({
      lipsync: createLipsync.lipsync.id,
    });

    expect(await it.playAndRead('CreateUpload')).toHaveProperty('data.createUpload.uploadUrl');
    await it.seeResponse('"CreateUploadSuccess"', '"WAITING"');

    expect(await it.playAndRead('NoSuchPage')).toHaveProperty('data.videos.code', 'INVALID_INPUT');
    await it.seeResponse('"InvalidInputError"');
  });

  test('watches the newest lip-sync live, over a WebSocket, at one click', async () => {
    await app.turn({ endless: true });
    const id = await requestLipsync(app);
    await using it = await openGraphiql(browser, app.url);
    const [socket] = await Promise.all([it.page.waitForEvent('websocket'), it.play('Watch')]);
    expect(new URL(socket.url()).pathname).toBe('/graphql');
    await it.seeResponse('"GENERATING"');

    await app.finishJobs();
    await it.seeResponse('"COMPLETED"', '"percent": 100', '"url"');
    expect(await readLipsync(app, id)).toMatchObject({ status: 'COMPLETED' });
    if (process.env.PICTURES !== undefined) await takePicture(it.page);
  });

  test('a socket that is closed behind a tab that is left', async () => {
    await app.turn({ endless: true });
    await requestLipsync(app);
    await using it = await openGraphiql(browser, app.url);
    const [socket] = await Promise.all([it.page.waitForEvent('websocket'), it.play('Watch')]);
    await it.seeResponse('"GENERATING"');
    await Promise.all([socket.waitForEvent('close'), it.openTab('Voices')]);
  });

  test('keeps its tabs over a reload, and the one that was open, and adds none', async () => {
    await using it = await openGraphiql(browser, app.url);
    const tabs = await it.tabs();
    await it.reload();
    expect(await it.tabs()).toEqual(tabs);
    await it.playAndRead('Videos');
    // It keeps its tabs half a second late.
    await it.page.waitForFunction(
      () => JSON.parse(localStorage.getItem('graphiql:tabState') ?? '{}').activeTabIndex === 1,
    );
    await it.reload();
    expect(await it.tabs()).toEqual(tabs);
    await it.page.getByRole('tab', { selected: true, name: 'Videos' }).waitFor();
  });

  test('a link with a query opens it before the ready tabs', async () => {
    const query = new URLSearchParams({ query: 'query Mine { viewer { name } }' });
    await using it = await openGraphiql(browser, app.url, `?${query}`);
    expect((await it.tabs()).slice(0, 2)).toEqual(['Mine', 'Voices']);
    expect(await it.playAndRead('Mine')).toEqual(
      expect.objectContaining({ data: { viewer: { name: expect.any(String) } } }),
    );
  });

  test('knows @defer, and shows the whole answer at once', async () => {
    const query = 'query Later { viewer { name } ... @defer { voices { __typename } } }';
    await using it = await openGraphiql(browser, app.url, `?${new URLSearchParams({ query })}`);
    expect(await it.runAndRead('Later')).toMatchObject({
      data: { viewer: { name: 'anonymous' }, voices: { __typename: 'VoiceList' } },
    });
  });

  test('the tabs of an earlier visit go on where the database is another now', async () => {
    await using line = await openLine(app.url);
    await using it = await openGraphiql(browser, line.url);
    await it.playAndRead('CreateLipsync');
    await it.play('Watch');
    await it.seeResponse('"COMPLETED"');
    await using other = await startTestApp({ sandbox: { token: 'user:4242-another' } });
    line.cut();
    line.leadTo(other.url);
    await it.reload();
    const { data } = await it.playAndRead('CreateLipsync');
    expect((data as Created).createLipsync.__typename).toBe('CreateLipsyncSuccess');
    await it.play('Watch');
    await it.seeResponse('"COMPLETED"');
  });

  test('opens with less ready tabs where the video service is out of order, and mends them', async () => {
    await app.turn({ burst5xx: 1_000 });
    await using it = await openGraphiql(browser, app.url);
    await it.play('Voices');
    await it.seeResponse('"UPSTREAM_UNAVAILABLE"');
    await it.openTab('CreateLipsync');
    expect(JSON.parse(await it.read('variables.json'))).toMatchObject({ video: '' });

    await app.turn({ burst5xx: null });
    await it.playAndRead('Videos');
    const { data } = await it.playAndRead('CreateLipsync');
    expect((data as Created).createLipsync.__typename).toBe('CreateLipsyncSuccess');
  });
});

describe('refuses', () => {
  test('says with a typed error that there is no lip-sync to watch yet', async () => {
    await using it = await openGraphiql(browser, app.url);
    await it.play('Watch');
    await it.seeResponse('"NOT_FOUND"', 'The lip-sync was not found');
  });
});

describe('keeps out', () => {
  test('an id of the newest from where somebody has written another', async () => {
    await using it = await openGraphiql(browser, app.url);
    await it.openTab('Watch');
    await it.write('variables.json', '{ "lipsync": "mine" }');
    // It keeps what is written in a tab a moment late.
    await it.page.waitForFunction(() =>
      localStorage.getItem('graphiql:tabState')?.includes('mine'),
    );
    await it.playAndRead('CreateLipsync');
    await it.openTab('Watch');
    expect(JSON.parse(await it.read('variables.json'))).toEqual({ lipsync: 'mine' });
  });
});

async function takePicture(page: Page): Promise<void> {
  await mkdir(join(picture, '..'), { recursive: true });
  await page.screenshot({ path: picture });
  expect((await stat(picture)).size).toBeLessThanOrEqual(mostPictureBytes);
}
