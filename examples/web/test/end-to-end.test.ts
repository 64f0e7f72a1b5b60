import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openBrowser } from './browser.ts';
import { startTestPage, type TestPage } from './test-page.ts';
import { listJobs, listLipsyncs, type Visit, visit } from './visit.ts';

let browser: Browser;
let testPage: TestPage;
let visitor: Visit;

beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

beforeEach(async () => {
  testPage = await startTestPage();
  visitor = await visit(browser, testPage);
});
afterEach(async () => {
  await visitor.close();
  await testPage.close();
});

/** The position of the playing video, and how many bytes of its audio were decoded. */
function readPlayer(page: Page) {
  return page.getByLabel('Your video').evaluate((element) => {
    const video = element as HTMLVideoElement & { webkitAudioDecodedByteCount: number };
    return { seconds: video.currentTime, audioBytes: video.webkitAudioDecodedByteCount };
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
  test('creates and plays a video, across a reload and a cut connection', async () => {
    const { page, fill, submit, see, waitUntilGone } = visitor;
    await see('No lip-syncs here yet.');
    await testPage.app.turn({ endless: true });
    await fill('Welcome to our little shop! 👋');
    await see('29 of 200 characters');
    await page.getByRole('radio', { name: 'James' }).check();
    await submit();
    await see('Generating your video', 'Voice: James');

    await page.reload();
    await see('Generating your video', '“Welcome to our little shop! 👋”');

    testPage.line.breakDown();
    await see('Connection lost');
    testPage.line.mend();
    await testPage.app.finishJobs();
    await see('Your video is ready');
    await waitUntilGone('Connection lost');

    await playToTheEnd(page);
    const { seconds, audioBytes } = await readPlayer(page);
    expect(seconds).toBeGreaterThan(1);
    expect(audioBytes).toBeGreaterThan(0);
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download' }).click();
    expect((await saved).suggestedFilename()).toBe('lip-sync.mp4');

    expect(await listLipsyncs(testPage)).toMatchObject([
      { status: 'COMPLETED', text: 'Welcome to our little shop! 👋' },
    ]);
    expect(await listJobs(testPage)).toHaveLength(1);
  });

  test('creates and pays for one video when the page reloads before the answer', async () => {
    const { page, fill, submit, see } = visitor;
    await testPage.app.turn({ endless: true });
    const reached = Promise.withResolvers<void>();
    let isFirst = true;
    await page.route('**/graphql', async (route) => {
      const isCreate = route.request().postData()?.includes('CreateLipsync') === true;
      if (!(isCreate && isFirst)) return route.continue();
      isFirst = false;
      // The server has answered, but the page never receives it.
      await route.fetch();
      reached.resolve();
    });
    await fill('Once.');
    await submit();
    await reached.promise;
    await page.reload();
    await see('Generating your video', '“Once.”');
    expect(await listLipsyncs(testPage)).toHaveLength(1);
    expect(await listJobs(testPage)).toHaveLength(1);
  });

  test('creates one video when the user tries again after a lost connection', async () => {
    const { page, fill, submit, see } = visitor;
    await fill('Over a bad connection.');
    testPage.line.breakDown();
    await submit();
    await see('No connection');
    testPage.line.mend();
    await page.getByRole('button', { name: 'Try again' }).click();
    await see('Your video is ready');
    expect(await listLipsyncs(testPage)).toHaveLength(1);
  });

  test('shows the queue position of a waiting lip-sync, and cancels it free of charge', async () => {
    const { page, fill, submit, see } = visitor;
    await testPage.app.turn({ endless: true });
    // The account runs three jobs at once; the others wait.
    for (const text of ['1', '2', '3', '4', '5']) {
      await fill(text);
      await submit();
      await see(`“${text}”`);
    }
    await see('Number 2 in the queue', 'Nothing has been charged yet.');
    await page.getByRole('button', { name: 'Cancel…' }).click();
    await see('Cancelling is free of charge.');
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel lip-sync' }).click();
    await see('It was cancelled before it was sent. Nothing was charged.');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.waitForFunction(() => document.activeElement?.id === 'lipsync');
    expect(await listJobs(testPage)).toHaveLength(3);
  });

  test('warns before cancelling a running lip-sync that it is charged', async () => {
    const { page, fill, submit, see } = visitor;
    await testPage.app.turn({ endless: true });
    await fill('Never mind.');
    await submit();
    await see('Generating your video');
    await page.getByRole('button', { name: 'Cancel…' }).click();
    await see('it continues and is charged');
    await page.getByRole('dialog').getByRole('button', { name: 'Keep lip-sync' }).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Cancel…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel lip-sync' }).click();
    await see('it continued and is charged');
  });

  test('uses a finished video as the next source video', async () => {
    const { page, fill, submit, see } = visitor;
    await fill('First.');
    await submit();
    await see('Your video is ready');
    await page.getByRole('button', { name: 'Use as source video' }).click();
    await page.getByLabel('Text', { exact: true }).fill('Second.');
    await submit();
    await see('“Second.”', 'Your video is ready');
    const jobs = await listJobs(testPage);
    expect(jobs.map(({ spoken }) => spoken)).toEqual(['First.', 'Second.']);
  });
});
