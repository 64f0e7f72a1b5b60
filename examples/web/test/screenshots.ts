import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { findPort, startApi } from '../api.ts';
import { previewPage } from '../preview.ts';
import { openBrowser, videosOn } from './browser.ts';

/*
 * `node test/screenshots.ts <folder>`: takes a screenshot of each state of the page, on desktop and phone, light and
 * dark, for a visual review.
 */
const [, , folder = join(tmpdir(), 'lipsync-pictures')] = process.argv;

type Scene = { name: string; show: (page: Page) => Promise<unknown> };

const fill = async (page: Page, text: string) => {
  await videosOn(page).first().check();
  await page.getByLabel('Text', { exact: true }).fill(text);
};
const submit = (page: Page) => page.getByRole('button', { name: 'Create video' }).click();
const fillAndSubmit = async (page: Page, text: string) => {
  await fill(page, text);
  await submit(page);
};
const see = (page: Page, text: string) => page.getByText(text).first().waitFor();

/** In order: later scenes show the lip-syncs of earlier ones. */
const scenes: Scene[] = [
  { name: 'empty', show: (page) => page.getByText('No lip-syncs here yet').waitFor() },
  {
    name: 'problems',
    async show(page) {
      await submit(page);
      await see(page, 'Choose or upload a video.');
    },
  },
  {
    name: 'filled',
    async show(page) {
      await fill(
        page,
        'Welcome to our little shop. Have a look around, and call me if you need me!',
      );
      await page.getByRole('radio', { name: 'Emily' }).check();
      await page.getByText('More options').click();
    },
  },
  {
    name: 'running',
    async show(page) {
      await fillAndSubmit(page, 'Welcome to our little shop. Have a look around! [[slow]]');
      await see(page, 'Generating your video');
      await see(page, ' %, ');
    },
  },
  {
    name: 'cancel',
    async show(page) {
      await fillAndSubmit(page, 'This one will be cancelled. [[slow]]');
      await see(page, 'Generating your video');
      await page.getByRole('button', { name: 'Cancel…' }).click();
      await page.getByRole('dialog').getByText('The video service cannot stop').waitFor();
    },
  },
  {
    name: 'ready',
    async show(page) {
      await fillAndSubmit(page, 'The new menu is here. Come and try it!');
      await see(page, 'Your video is ready');
    },
  },
  {
    name: 'refused',
    async show(page) {
      await fillAndSubmit(page, 'Something rude. [[422]]');
      await see(page, 'Content rejected');
      await page.getByRole('alert').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'failed',
    async show(page) {
      await fillAndSubmit(page, 'Something that goes wrong. [[failed]]');
      await see(page, 'The video could not be generated');
    },
  },
  {
    name: 'recording',
    async show(page) {
      await page.getByText('Record', { exact: true }).click();
      await page.getByRole('button', { name: 'Record', exact: true }).click();
      await see(page, '0:02 of 1:00');
    },
  },
  {
    name: 'upload',
    async show(page) {
      await page.getByText('Upload', { exact: true }).click();
      const audioFile = join(import.meta.dirname, '../../../src/demo-media/speech.mp3');
      await page.getByLabel('Choose an audio file').setInputFiles(audioFile);
      await see(page, 'speech.mp3, 0:');
    },
  },
];

const displays = [
  { name: 'desktop-light', width: 1280, height: 940, colorScheme: 'light' },
  { name: 'desktop-dark', width: 1280, height: 940, colorScheme: 'dark' },
  { name: 'phone-light', width: 360, height: 740, colorScheme: 'light' },
  { name: 'phone-dark', width: 360, height: 740, colorScheme: 'dark' },
] as const;

async function takeScreenshots(browser: Browser, url: string, display: (typeof displays)[number]) {
  const { name, colorScheme, width, height } = display;
  const context = await browser.newContext({ colorScheme, viewport: { width, height } });
  for (const scene of scenes) {
    const page = await context.newPage();
    await page.goto(url);
    await page.getByRole('radio', { name: 'Emily' }).waitFor();
    await scene.show(page);
    await page.evaluate(() => document.fonts.ready);
    // Only the visible part: users see it first.
    await page.screenshot({ path: join(folder, `${name}-${scene.name}.png`) });
    await page.close();
  }
  await context.close();
}

async function takeDisplay(browser: Browser, display: (typeof displays)[number]) {
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-pictures-'));
  const port = await findPort(0);
  const api = await startApi(`http://127.0.0.1:${port}`, { DATA_DIR: dataDir });
  const served = await previewPage(api.url, port);
  try {
    await takeScreenshots(browser, served.url, display);
  } finally {
    await served.close();
    await api.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

await mkdir(folder, { recursive: true });
await build({ root: join(import.meta.dirname, '..'), logLevel: 'error' });
const browser = await openBrowser();
try {
  for (const display of displays) await takeDisplay(browser, display);
} finally {
  await browser.close();
}
process.stdout.write(`The screenshots are in ${folder}\n`);
