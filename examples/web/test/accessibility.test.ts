import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wavHeader } from '../../../test/support/wav.ts';
import { findViolations, measureOverflow } from './axe.ts';
import { openBrowser } from './browser.ts';
import { startTestPage, type TestPage } from './test-page.ts';
import { listJobs, type Visit, visit } from './visit.ts';

let browser: Browser;
let testPage: TestPage;
beforeAll(async () => {
  browser = await openBrowser();
  testPage = await startTestPage({
    sandbox: { accounts: [{ email: 'one@sandbox.example', maxJobs: 8 }] },
  });
});
afterAll(async () => {
  await browser.close();
  await testPage.close();
});

type State = { name: string; reach: (visitor: Visit) => Promise<unknown> };

const states: State[] = [
  { name: 'empty', reach: ({ see }) => see('Emily') },
  {
    name: 'with problems',
    async reach({ page, submit, see }) {
      await page.getByText('More options').click();
      await submit();
      await see('Enter the text to speak.');
    },
  },
  {
    name: 'with a failure',
    async reach({ fill, submit, see }) {
      await fill('[[422]]');
      await submit();
      await see('Content rejected');
    },
  },
  {
    name: 'running',
    async reach({ fill, submit, see }) {
      await testPage.app.turn({ endless: true });
      await fill('Running.');
      await submit();
      await see('Generating your video');
    },
  },
  {
    name: 'cancel dialog',
    async reach({ page }) {
      await page.getByRole('button', { name: 'Cancel…' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'ready',
    async reach({ page, see }) {
      await page.getByRole('button', { name: 'Keep lip-sync' }).click();
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
      await testPage.app.turn({ endless: null });
      await testPage.app.finishJobs();
      await see('Your video is ready');
    },
  },
  {
    name: 'a long audio file, and a video that cannot be fetched',
    async reach({ page, see }) {
      await page.getByText('Upload', { exact: true }).click();
      const buffer = Buffer.concat([wavHeader(1_000_000), Buffer.alloc(1_000_000)]);
      const file = { name: 'talk.wav', mimeType: 'audio/wav', buffer };
      await page.getByLabel('Choose an audio file').setInputFiles(file);
      await see('Choose a part of at most 60 seconds.');
      await page.getByLabel('Or the URL of a video').fill('http://127.0.0.1/face.mp4');
      await page.keyboard.press('Enter');
      await see('The file could not be fetched');
    },
  },
  {
    name: 'recording',
    async reach({ page, see }) {
      await page.getByText('Record', { exact: true }).click();
      await page.getByRole('button', { name: 'Record', exact: true }).click();
      await see('of 1:00');
    },
  },
];

describe('every state of the page', () => {
  const displays = (['light', 'dark'] as const).flatMap((colorScheme) =>
    [360, 1280].map((width) => ({ colorScheme, width })),
  );
  let visitor: Visit;
  beforeAll(async () => {
    visitor = await visit(browser, testPage);
  });
  afterAll(() => visitor.close());

  // One visit: each state is reached from the one before.
  test.each(states)(
    'has no axe violations and no horizontal overflow: $name',
    async ({ reach }) => {
      await reach(visitor);
      const { page } = visitor;
      for (const { colorScheme, width } of displays) {
        const display = `${colorScheme}, ${width} pixels`;
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 740 });
        expect(await findViolations(page), display).toEqual([]);
        expect(await measureOverflow(page), display).toBe(0);
      }
    },
  );

  test('follows the colour scheme of the system until the user changes it', async () => {
    const { page, see, close } = await visit(browser, testPage, { colorScheme: 'dark' });
    await see('Emily');
    const scheme = () => page.evaluate(() => document.documentElement.dataset.mantineColorScheme);
    expect(await scheme()).toBe('dark');
    await page.getByRole('button', { name: 'Switch to light mode' }).click();
    expect(await scheme()).toBe('light');
    await page.reload();
    await see('Emily');
    expect(await scheme()).toBe('light');
    await close();
  });

  test('runs no animation with reduced motion', async () => {
    const visitor = await visit(browser, testPage, { reducedMotion: 'reduce' });
    const { page, fill, submit, see, close } = visitor;
    await testPage.app.turn({ endless: true });
    await fill('Without motion.');
    await submit();
    await see('Generating your video');
    const running = await page.evaluate(() =>
      document
        .getAnimations()
        .filter(({ playState }) => playState === 'running')
        .map((each) => String((each as CSSAnimation).animationName ?? each.id)),
    );
    expect(running).toEqual([]);
    await testPage.app.turn({ endless: null });
    await testPage.app.finishJobs();
    await see('Your video is ready');
    await close();
  });
});

describe('with the keyboard alone', () => {
  test('creates and plays a video, and announces each step', async () => {
    const before = (await listJobs(testPage)).length;
    const { page, see, close } = await visit(browser, testPage);
    await see('Emily');
    await testPage.app.turn({ endless: true });
    const focused = () =>
      page.evaluate(() => {
        const { activeElement: it } = document;
        return it?.getAttribute('aria-label') ?? it?.id ?? '';
      });
    /** Presses Tab until the condition holds. */
    const tabTo = async (isFocused: () => Promise<boolean>) => {
      for (let presses = 0; !(await isFocused()); presses += 1) {
        if (presses > 60) throw new Error(`Not reached. The focus is on ${await focused()}.`);
        await page.keyboard.press('Tab');
      }
    };
    const isOn = (selector: string) => () =>
      page.evaluate((wanted) => document.activeElement?.matches(wanted) === true, selector);

    await tabTo(isOn('input[name=video]'));
    await page.keyboard.press('Space');
    await page.keyboard.press('ArrowRight');
    await tabTo(isOn('#text'));
    await page.keyboard.type('Without a mouse.');
    await tabTo(isOn('input[name=voice]'));
    await page.keyboard.press('ArrowDown');
    await tabTo(isOn('[type=submit]'));
    await page.keyboard.press('Enter');

    await see('“Without a mouse.”', 'Voice: Emily');
    expect(await focused()).toBe('lipsync');
    const announcement = page
      .getByRole('region', { name: 'Your lip-sync', exact: true })
      .getByRole('status');
    await announcement.filter({ hasText: /Generating/ }).waitFor();

    await tabTo(
      async () => (await page.evaluate(() => document.activeElement?.textContent)) === 'Cancel…',
    );
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Cancel…');

    await testPage.app.turn({ endless: null });
    await testPage.app.finishJobs();
    await announcement.filter({ hasText: 'Your video is ready.' }).waitFor();
    await page.getByLabel('Your video').focus();
    await page.keyboard.press('Space');
    await page.waitForFunction(
      () =>
        (document.querySelector('[aria-label="Your video"]') as HTMLVideoElement).currentTime > 0,
    );
    expect((await listJobs(testPage)).length).toBe(before + 1);
    await close();
  });
});
