import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openBrowser, videosOn } from './browser.ts';
import { openStage, type Stage } from './stage.ts';
import { listJobs, type Visit, visit } from './visit.ts';

const media = join(import.meta.dirname, '../../../src');
const speech = join(media, 'demo-media/speech.mp3');

let browser: Browser;
let stage: Stage;
let guest: Visit;

beforeAll(async () => {
  browser = await openBrowser();
  stage = await openStage();
});
afterAll(async () => {
  await browser.close();
  await stage.close();
});
beforeEach(async () => {
  guest = await visit(browser, stage);
  await videosOn(guest.page).first().check();
});
afterEach(() => guest.close());

const choose = (kind: string) => guest.page.getByText(kind, { exact: true }).click();

describe('works', () => {
  test('an MP3 is sent as it is', async () => {
    const { page, make, see } = guest;
    await choose('Upload');
    await page.getByLabel('Choose an audio file').setInputFiles(speech);
    await see('speech.mp3, 0:07');
    await make();
    await see('Says what was recorded.', 'Your video is ready');
    expect((await listJobs(stage)).at(-1)?.request.audioPath).toMatch(/\.mp3$/);
  });

  test('what is said into the microphone becomes a WAV, and a video', async () => {
    const { page, make, see } = guest;
    await choose('Record');
    await page.getByRole('button', { name: 'Record', exact: true }).click();
    await see('0:02 of 1:00');
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByLabel('Listen to Your recording').waitFor();
    await make();
    await see('Says what was recorded.', 'Your video is ready');
    expect((await listJobs(stage)).at(-1)?.request.audioPath).toMatch(/\.wav$/);
  });

  test('any other sound that the browser can play becomes a WAV', async () => {
    const { page, see } = guest;
    await choose('Upload');
    // By its name it is nothing that the video service takes; what it holds is for the browser to find out.
    await page.getByLabel('Choose an audio file').setInputFiles({
      name: 'voice.ogg',
      mimeType: 'audio/ogg',
      buffer: await readFile(speech),
    });
    await see('voice.wav, 0:0');
  });

  test('a video from this machine speaks', async () => {
    const { page, see, make } = guest;
    await page
      .getByLabel('Or upload your own')
      .setInputFiles(join(media, 'sandbox/media/source-2.mp4'));
    await see('source-2.mp4 speaks');
    await page.getByLabel('Text', { exact: true }).fill('From my own video.');
    await make();
    await see('“From my own video.”', 'Your video is ready');
    expect((await listJobs(stage)).at(-1)?.request.videoPath).toBeDefined();
  });

  test('each voice and each video can be tried before it is chosen', async () => {
    const { page } = guest;
    await page.getByRole('button', { name: 'Listen to Isabella' }).click();
    await page.getByRole('button', { name: 'Stop Isabella' }).waitFor();
    await page.getByRole('button', { name: 'Listen to James' }).click();
    await page.getByRole('button', { name: 'Listen to Isabella' }).waitFor();
    // It ends by itself.
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
  test('a file that is no sound at all, before it is sent and after', async () => {
    const { page, see } = guest;
    await choose('Upload');
    const file = { name: 'notes.mp3', buffer: Buffer.from('Just some notes.') };
    const send = (mimeType: string) =>
      page.getByLabel('Choose an audio file').setInputFiles({ ...file, mimeType });
    await send('audio/x-notes');
    await see('This browser can not read the file');
    await send('audio/mpeg');
    await see('The file was not taken', 'The content of the file is not WAV or MP3 audio.');
  });

  test('to lose a file silently where the line breaks on the way', async () => {
    const { page, see } = guest;
    await choose('Upload');
    await page.route('**/uploads/**', (route) => route.abort('connectionreset'), { times: 1 });
    await page.getByLabel('Choose an audio file').setInputFiles(speech);
    await see('There is no connection');
    await page.getByRole('button', { name: 'Send it again' }).click();
    await see('speech.mp3, 0:07');
  });
});
