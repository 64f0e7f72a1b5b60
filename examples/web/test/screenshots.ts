import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { findPort, startApi } from '../api.ts';
import { previewPage } from '../preview.ts';
import { openBrowser, videosOn } from './browser.ts';

/*
 * `node test/pictures.ts <folder>`: a picture of each state of the page, on a desk and on a phone, light and dark, to be
 * looked at by people.
 */
const [, , folder = join(tmpdir(), 'lipsync-pictures')] = process.argv;

type Scene = { name: string; show: (page: Page) => Promise<unknown> };

const say = async (page: Page, text: string) => {
  await videosOn(page).first().check();
  await page.getByLabel('Text', { exact: true }).fill(text);
};
const make = (page: Page) => page.getByRole('button', { name: 'Make the video' }).click();
const sayAndMake = async (page: Page, text: string) => {
  await say(page, text);
  await make(page);
};
const see = (page: Page, words: string) => page.getByText(words).first().waitFor();

/** In this order: what one leaves behind the next ones show. */
const scenes: Scene[] = [
  { name: 'empty', show: (page) => page.getByText('There is none here yet').waitFor() },
  {
    name: 'problems',
    async show(page) {
      await make(page);
      await see(page, 'Choose a video, or');
    },
  },
  {
    name: 'filled',
    async show(page) {
      await say(
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
      await sayAndMake(page, 'Welcome to our little shop. Have a look around! [[slow]]');
      await see(page, 'Your video is being made');
      await see(page, ' %, ');
    },
  },
  {
    name: 'cancel',
    async show(page) {
      await sayAndMake(page, 'Something that nobody wants any more. [[slow]]');
      await see(page, 'Your video is being made');
      await page.getByRole('button', { name: 'Cancel…' }).click();
      await page.getByRole('dialog').getByText('The video service can not be stopped').waitFor();
    },
  },
  {
    name: 'ready',
    async show(page) {
      await sayAndMake(page, 'The new menu is here. Come and try it!');
      await see(page, 'Your video is ready');
    },
  },
  {
    name: 'refused',
    async show(page) {
      await sayAndMake(page, 'Something rude. [[422]]');
      await see(page, 'does not want to make this');
      await page.getByRole('alert').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'failed',
    async show(page) {
      await sayAndMake(page, 'Something that goes wrong. [[failed]]');
      await see(page, 'The video could not be made');
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
      const speech = join(import.meta.dirname, '../../../src/demo-media/speech.mp3');
      await page.getByLabel('Choose an audio file').setInputFiles(speech);
      await see(page, 'speech.mp3, 0:');
    },
  },
];

const looks = [
  { name: 'desk-light', width: 1280, height: 940, colorScheme: 'light' },
  { name: 'desk-dark', width: 1280, height: 940, colorScheme: 'dark' },
  { name: 'phone-light', width: 360, height: 740, colorScheme: 'light' },
  { name: 'phone-dark', width: 360, height: 740, colorScheme: 'dark' },
] as const;

async function takeAll(browser: Browser, url: string, look: (typeof looks)[number]) {
  const { name, colorScheme, width, height } = look;
  const context = await browser.newContext({ colorScheme, viewport: { width, height } });
  for (const scene of scenes) {
    const page = await context.newPage();
    await page.goto(url);
    await page.getByRole('radio', { name: 'Emily' }).waitFor();
    await scene.show(page);
    await page.evaluate(() => document.fonts.ready);
    // What is in view then, since that is what people see first.
    await page.screenshot({ path: join(folder, `${name}-${scene.name}.png`) });
    await page.close();
  }
  await context.close();
}

async function takeLook(browser: Browser, look: (typeof looks)[number]) {
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-pictures-'));
  const port = await findPort(0);
  const api = await startApi(`http://127.0.0.1:${port}`, { DATA_DIR: dataDir });
  const served = await previewPage(api.url, port);
  try {
    await takeAll(browser, served.url, look);
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
  for (const look of looks) await takeLook(browser, look);
} finally {
  await browser.close();
}
process.stdout.write(`They are in ${folder}\n`);
