import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults, RunOptions } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from './browser.ts';
import { startTestPage, type TestPage } from './test-page.ts';
import { listJobs, type Visit, visit } from './visit.ts';

const axePath = createRequire(import.meta.url).resolve('axe-core');

declare const axe: { run(options: RunOptions): Promise<AxeResults> };

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

/** Runs every axe rule, best practices included, and returns the violations. */
async function findViolations(page: Page): Promise<string[]> {
  // Waits for running transitions, because axe would measure colours in between.
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity)
        .map(({ finished }) => finished.catch(() => undefined)),
    ),
  );
  await page.evaluate(await readFile(axePath, 'utf8'));
  const { violations } = await page.evaluate(() => axe.run({ resultTypes: ['violations'] }));
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`),
  );
}

/** By how many pixels the page is wider than the window. */
const measureOverflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

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
    name: 'audio upload',
    reach: ({ page, see }) =>
      page
        .getByText('Upload', { exact: true })
        .click()
        .then(() => see('Choose an audio file')),
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
    [1280, 360].map((width) => ({ colorScheme, width })),
  );
  test.each(displays)(
    'has no axe violations and no horizontal overflow: $colorScheme, $width pixels',
    async ({ colorScheme, width }) => {
      const visitor = await visit(browser, testPage, {
        colorScheme,
        viewport: { width, height: 740 },
      });
      for (const { name, reach } of states) {
        await reach(visitor);
        expect(await findViolations(visitor.page), name).toEqual([]);
        expect(await measureOverflow(visitor.page), name).toBe(0);
      }
      await visitor.close();
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
