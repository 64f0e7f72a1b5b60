import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openBrowser } from './browser.ts';
import { openStage, type Stage } from './test-page.ts';
import { listJobs, listLipsyncs, type Visit, visit } from './visit.ts';

let browser: Browser;
let stage: Stage;
let guest: Visit;

beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

beforeEach(async () => {
  stage = await openStage();
  guest = await visit(browser, stage);
});
afterEach(async () => {
  await guest.close();
  await stage.close();
});

/** Of the video that plays: how far it is, and how much sound was heard so far. */
function readPlayer(page: Page) {
  return page.getByLabel('Your video').evaluate((element) => {
    const video = element as HTMLVideoElement & { webkitAudioDecodedByteCount: number };
    return { seconds: video.currentTime, soundBytes: video.webkitAudioDecodedByteCount };
  });
}

async function playToTheEnd(page: Page): Promise<void> {
  const player = page.getByLabel('Your video');
  await player.click();
  await player.evaluate(
    (video) => new Promise((resolve) => video.addEventListener('ended', resolve)),
  );
}

describe('works', () => {
  test('from an empty database to a playing video, with a reload and a cut connection on the way', async () => {
    const { page, fill, make, see, miss } = guest;
    await see('There is none here yet.');
    await stage.app.turn({ endless: true });
    await fill('Welcome to our little shop! 👋');
    await see('29 of 200 characters');
    await page.getByRole('radio', { name: 'James' }).check();
    await make();
    await see('Your video is being made', 'Voice: James');

    await page.reload();
    await see('Your video is being made', '“Welcome to our little shop! 👋”');

    stage.line.breakDown();
    await see('The connection is gone.');
    stage.line.mend();
    await stage.app.finishJobs();
    await see('Your video is ready');
    await miss('The connection is gone.');

    await playToTheEnd(page);
    const { seconds, soundBytes } = await readPlayer(page);
    expect(seconds).toBeGreaterThan(1);
    expect(soundBytes).toBeGreaterThan(0);
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download' }).click();
    expect((await saved).suggestedFilename()).toBe('lip-sync.mp4');

    expect(await listLipsyncs(stage)).toMatchObject([
      { status: 'COMPLETED', text: 'Welcome to our little shop! 👋' },
    ]);
    expect(await listJobs(stage)).toHaveLength(1);
  });

  test('a reload between the click and the answer pays for one video', async () => {
    const { page, fill, make, see } = guest;
    await stage.app.turn({ endless: true });
    const reached = Promise.withResolvers<void>();
    let isFirst = true;
    await page.route('**/graphql', async (route) => {
      const isCreate = route.request().postData()?.includes('CreateLipsync') === true;
      if (!(isCreate && isFirst)) return route.continue();
      isFirst = false;
      // The server has answered, and the page never hears of it.
      await route.fetch();
      reached.resolve();
    });
    await fill('Once, please.');
    await make();
    await reached.promise;
    await page.reload();
    await see('Your video is being made', '“Once, please.”');
    expect(await listLipsyncs(stage)).toHaveLength(1);
    expect(await listJobs(stage)).toHaveLength(1);
  });

  test('where no answer comes at all, trying again asks for the same video', async () => {
    const { page, fill, make, see } = guest;
    await fill('Over a bad line.');
    stage.line.breakDown();
    await make();
    await see('There is no connection');
    stage.line.mend();
    await page.getByRole('button', { name: 'Try again' }).click();
    await see('Your video is ready');
    expect(await listLipsyncs(stage)).toHaveLength(1);
  });

  test('what waits says its place, moves up, and can be cancelled free of charge', async () => {
    const { page, fill, make, see } = guest;
    await stage.app.turn({ endless: true });
    // Each account takes three; all that come after wait.
    for (const text of ['1', '2', '3', '4', '5']) {
      await fill(text);
      await make();
      await see(`“${text}”`);
    }
    await see('Number 2 in line', 'Nothing has been charged so far.');
    await page.getByRole('button', { name: 'Cancel…' }).click();
    await see('Cancelling is free of charge.');
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel it' }).click();
    await see('It had not been sent yet. Nothing was charged.');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.waitForFunction(() => document.activeElement?.id === 'lipsync');
    expect(await listJobs(stage)).toHaveLength(3);
  });

  test('what runs says before it is cancelled that it is charged all the same', async () => {
    const { page, fill, make, see } = guest;
    await stage.app.turn({ endless: true });
    await fill('Never mind.');
    await make();
    await see('Your video is being made');
    await page.getByRole('button', { name: 'Cancel…' }).click();
    await see('it goes on, and charges for the video all the same');
    await page.getByRole('dialog').getByRole('button', { name: 'Keep it' }).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Cancel…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel it' }).click();
    await see('it went on, and charges for it');
  });

  test('a finished video speaks again', async () => {
    const { page, fill, make, see } = guest;
    await fill('First.');
    await make();
    await see('Your video is ready');
    await page.getByRole('button', { name: 'Let it speak again' }).click();
    await page.getByLabel('Text', { exact: true }).fill('Second.');
    await make();
    await see('“Second.”', 'Your video is ready');
    const jobs = await listJobs(stage);
    expect(jobs.map(({ spoken }) => spoken)).toEqual(['First.', 'Second.']);
  });
});
