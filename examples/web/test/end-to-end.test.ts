import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLipsync, inputOf, longWait, readVideoIds } from '../../../test/support/lipsyncs.ts';
import { openBrowser, videosOn } from './browser.ts';
import { startTestPage, type TestPage } from './test-page.ts';
import { listJobs, listLipsyncs, type Visit, visit } from './visit.ts';

let browser: Browser;
let testPage: TestPage;
let visitor: Visit;

beforeAll(async () => {
  browser = await openBrowser();
  testPage = await startTestPage();
});
afterAll(async () => {
  await browser.close();
  await testPage.close();
});

beforeEach(async () => {
  visitor = await visit(browser, testPage);
});
/** Each test begins with free slots. */
afterEach(async () => {
  await visitor.close();
  await testPage.app.turn({ endless: null });
  await expect
    .poll(async () => {
      await testPage.app.finishJobs();
      return (await listLipsyncs(testPage)).filter(({ isFinal }) => !isFinal);
    }, longWait)
    .toEqual([]);
});

const jobsFor = async (...texts: string[]) =>
  (await listJobs(testPage)).filter(({ spoken }) => texts.includes(spoken));
const lipsyncsFor = async (wanted: string) =>
  (await listLipsyncs(testPage)).filter(({ text }) => text === wanted);

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
  await player.evaluate((element) => {
    const video = element as HTMLVideoElement;
    if (video.ended) return;
    return new Promise((resolve) => video.addEventListener('ended', resolve));
  });
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
    expect((await saved).suggestedFilename()).toBe('Welcome to our little shop! 👋.mp4');

    const made = await lipsyncsFor('Welcome to our little shop! 👋');
    expect(made).toMatchObject([{ status: 'COMPLETED' }]);
    expect(await jobsFor('Welcome to our little shop! 👋')).toHaveLength(1);
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
    expect(await lipsyncsFor('Once.')).toHaveLength(1);
    expect(await jobsFor('Once.')).toHaveLength(1);
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
    expect(await lipsyncsFor('Over a bad connection.')).toHaveLength(1);
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
    expect(await jobsFor('1', '2', '3', '4', '5')).toHaveLength(3);
    await page.getByRole('button', { name: 'Make again' }).click();
    expect(await page.getByLabel('Text', { exact: true }).inputValue()).toBe('5');
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
    await see('It continued and is charged');
    await page.getByRole('button', { name: 'Make again' }).click();
    expect(await page.getByLabel('Text', { exact: true }).inputValue()).toBe('Never mind.');
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
    expect(await jobsFor('First.', 'Second.')).toHaveLength(2);
  });

  test('makes a video again, with the options of the first request', async () => {
    const { page, fill, submit, see } = visitor;
    const option = (name: string) => page.getByRole('switch', { name });
    const label = page.getByLabel('Label', { exact: true });
    await fill('Once more, please: 20% off!');
    await videosOn(page).nth(1).check();
    await page.getByRole('radio', { name: 'James' }).check();
    await page.getByText('More options').click();
    await option('Keep the original sound').check();
    await option('Off-peak: slower, cheaper').check();
    await label.fill('Spring/Sale');
    await submit();
    await see('Your video is ready');
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download' }).click();
    expect((await saved).suggestedFilename()).toBe('Spring Sale - Once more, please 20% off!.mp4');

    await fill('Something else.');
    await page.getByRole('radio', { name: 'Automatic' }).check();
    await option('Keep the original sound').uncheck();
    await label.fill('');
    await page.getByRole('button', { name: 'Make again' }).click();
    await see('The form is filled in as before. Nothing has been sent yet.');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('text');
    await page.getByText('More options').click();
    expect(await label.inputValue()).toBe('Spring/Sale');
    expect(await jobsFor('Once more, please: 20% off!')).toHaveLength(1);
    await submit();
    await expect.poll(() => jobsFor('Once more, please: 20% off!'), longWait).toHaveLength(2);
    const [first, second] = await jobsFor('Once more, please: 20% off!');
    expect(second?.request).toMatchObject({ originalSound: true, offPeak: true });
    const { videoId, speakerId } = first?.request ?? {};
    expect(second?.request).toMatchObject({ videoId, speakerId });
    expect(await lipsyncsFor('Once more, please: 20% off!')).toMatchObject([
      { reference: 'Spring/Sale' },
      { reference: 'Spring/Sale' },
    ]);
  });

  test('repeats options that an API client set and the form does not have, until the user removes them', async () => {
    const { page, submit, see } = visitor;
    const settings = { maxJobs: 2, maxCredits: 500, keepOriginalSound: false };
    const videoId = (await readVideoIds(testPage.app)).at(-1) ?? '';
    const input = inputOf(videoId, 'By a program.', settings);
    const { id } = await createLipsync(testPage.app, input);
    await page.goto(`${testPage.line.url}/?lipsync=${id}`);
    await see('Your video is ready');
    await page.getByRole('button', { name: 'Make again' }).click();
    await page.getByText('More options').click();
    await see('As before: at most 2 jobs at a time, at most 500 credits.');
    await submit();
    await expect.poll(() => jobsFor('By a program.'), longWait).toHaveLength(2);
    const { data } = await testPage.app.ask<{ lipsyncs: { nodes: object[] } }>(
      '{ lipsyncs(first: 1) { nodes { text maxJobs maxCredits keepOriginalSound } } }',
    );
    expect(data?.lipsyncs.nodes).toEqual([{ text: 'By a program.', ...settings }]);
    await page.getByRole('button', { name: 'Remove these settings' }).click();
    await visitor.waitUntilGone('As before:');
  });
});
