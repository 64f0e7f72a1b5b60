import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openBrowser, videosOn } from './browser.ts';
import { startTestPage, type TestPage } from './test-page.ts';
import { listJobs, type Visit, visit } from './visit.ts';

const media = join(import.meta.dirname, '../../../src');
const audioFile = join(media, 'demo-media/speech.mp3');

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
  await videosOn(visitor.page).first().check();
});
afterEach(() => visitor.close());

const chooseSource = (kind: string) => visitor.page.getByText(kind, { exact: true }).click();

describe('works', () => {
  test('an MP3 is uploaded unchanged', async () => {
    const { page, submit, see } = visitor;
    await chooseSource('Upload');
    await page.getByLabel('Choose an audio file').setInputFiles(audioFile);
    await see('speech.mp3, 0:07');
    await submit();
    await see('The speech is an audio file.', 'Your video is ready');
    expect((await listJobs(testPage)).at(-1)?.request.audioPath).toMatch(/\.mp3$/);
  });

  test('a recording from the microphone is uploaded as WAV and becomes a video', async () => {
    const { page, submit, see } = visitor;
    await chooseSource('Record');
    await page.getByRole('button', { name: 'Record', exact: true }).click();
    await see('0:02 of 1:00');
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByLabel('Listen to Your recording').waitFor();
    await submit();
    await see('The speech is an audio file.', 'Your video is ready');
    expect((await listJobs(testPage)).at(-1)?.request.audioPath).toMatch(/\.wav$/);
  });

  test('other audio that the browser can play is converted to WAV', async () => {
    const { page, see } = visitor;
    await chooseSource('Upload');
    // The type is one that the video service rejects; the content decides whether the browser can decode it.
    await page.getByLabel('Choose an audio file').setInputFiles({
      name: 'voice.ogg',
      mimeType: 'audio/ogg',
      buffer: await readFile(audioFile),
    });
    await see('voice.wav, 0:0');
  });

  test('an uploaded video is the source video', async () => {
    const { page, see, submit } = visitor;
    await page
      .getByLabel('Upload a video')
      .setInputFiles(join(media, 'sandbox/media/source-2.mp4'));
    await see('source-2.mp4 is selected');
    await page.getByLabel('Text', { exact: true }).fill('From my own video.');
    await submit();
    await see('“From my own video.”', 'Your video is ready');
    expect((await listJobs(testPage)).at(-1)?.request.videoPath).toBeDefined();
  });

  test('voices and videos have previews', async () => {
    const { page } = visitor;
    await page.getByRole('button', { name: 'Listen to Isabella' }).click();
    await page.getByRole('button', { name: 'Stop Isabella' }).waitFor();
    await page.getByRole('button', { name: 'Listen to James' }).click();
    await page.getByRole('button', { name: 'Listen to Isabella' }).waitFor();
    // The preview ends by itself.
    await page.getByRole('button', { name: 'Listen to James' }).waitFor();
    await page
      .getByRole('button', { name: /^Play a preview of / })
      .first()
      .click();
    await page.getByRole('button', { name: /^Stop the preview of / }).waitFor();
    expect(await videosOn(page).first().isChecked()).toBe(true);
  });
});

describe('refuses', () => {
  test('a file that is not audio, in the browser and on the server', async () => {
    const { page, see } = visitor;
    await chooseSource('Upload');
    const file = { name: 'notes.mp3', buffer: Buffer.from('Just some notes.') };
    const choose = (mimeType: string) =>
      page.getByLabel('Choose an audio file').setInputFiles({ ...file, mimeType });
    await choose('audio/x-notes');
    await see('Your browser cannot play this file');
    await choose('audio/mpeg');
    await see('The file was not accepted');
  });

  test('to lose a file silently: a broken upload offers a retry', async () => {
    const { page, see } = visitor;
    await chooseSource('Upload');
    await page.route('**/uploads/**', (route) => route.abort('connectionreset'), { times: 1 });
    await page.getByLabel('Choose an audio file').setInputFiles(audioFile);
    await see('No connection');
    await page.getByRole('button', { name: 'Retry upload' }).click();
    await see('speech.mp3, 0:07');
  });
});
