import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults, RunOptions } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from './browser.ts';
import { openStage, type Stage } from './test-page.ts';
import { listJobs, type Visit, visit } from './visit.ts';

const axePath = createRequire(import.meta.url).resolve('axe-core');

declare const axe: { run(options: RunOptions): Promise<AxeResults> };

let browser: Browser;
let stage: Stage;
beforeAll(async () => {
  browser = await openBrowser();
  stage = await openStage({
    sandbox: { accounts: [{ email: 'one@sandbox.example', maxJobs: 8 }] },
  });
});
afterAll(async () => {
  await browser.close();
  await stage.close();
});

/** All that axe knows, best practices included; where, and what is wrong there. */
async function examine(page: Page): Promise<string[]> {
  // Colours on their way from one state to the next are neither.
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

/** How much wider the page is than the window. */
const overflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

type State = { name: string; reach: (guest: Visit) => Promise<unknown> };

const states: State[] = [
  { name: 'empty', reach: ({ see }) => see('Emily') },
  {
    name: 'with problems',
    async reach({ page, make, see }) {
      await page.getByText('More options').click();
      await make();
      await see('Type what shall be said.');
    },
  },
  {
    name: 'with a failure',
    async reach({ fill, make, see }) {
      await fill('[[422]]');
      await make();
      await see('The video service does not want to make this');
    },
  },
  {
    name: 'running',
    async reach({ fill, make, see }) {
      await stage.app.turn({ endless: true });
      await fill('Running.');
      await make();
      await see('Your video is being made');
    },
  },
  {
    name: 'asked whether to cancel',
    async reach({ page }) {
      await page.getByRole('button', { name: 'Cancel…' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'ready',
    async reach({ page, see }) {
      await page.getByRole('button', { name: 'Keep it' }).click();
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
      await stage.app.turn({ endless: null });
      await stage.app.finishJobs();
      await see('Your video is ready');
    },
  },
  {
    name: 'with something to upload',
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

describe('nobody is kept out', () => {
  const looks = (['light', 'dark'] as const).flatMap((colorScheme) =>
    [1280, 360].map((width) => ({ colorScheme, width })),
  );
  test.each(looks)(
    'axe finds nothing, and nothing sticks out: $colorScheme, $width pixels',
    async ({ colorScheme, width }) => {
      const guest = await visit(browser, stage, { colorScheme, viewport: { width, height: 740 } });
      for (const { name, reach } of states) {
        await reach(guest);
        expect(await examine(guest.page), name).toEqual([]);
        expect(await overflow(guest.page), name).toBe(0);
      }
      await guest.close();
    },
  );

  test('the colours follow the system, until somebody says otherwise', async () => {
    const { page, see, close } = await visit(browser, stage, { colorScheme: 'dark' });
    await see('Emily');
    const scheme = () => page.evaluate(() => document.documentElement.dataset.mantineColorScheme);
    expect(await scheme()).toBe('dark');
    await page.getByRole('button', { name: 'Use the light colours' }).click();
    expect(await scheme()).toBe('light');
    await page.reload();
    await see('Emily');
    expect(await scheme()).toBe('light');
    await close();
  });

  test('nothing moves for those who do not want that', async () => {
    const guest = await visit(browser, stage, { reducedMotion: 'reduce' });
    const { page, fill, make, see, close } = guest;
    await stage.app.turn({ endless: true });
    await fill('Quietly.');
    await make();
    await see('Your video is being made');
    const running = await page.evaluate(() =>
      document
        .getAnimations()
        .filter(({ playState }) => playState === 'running')
        .map((each) => String((each as CSSAnimation).animationName ?? each.id)),
    );
    expect(running).toEqual([]);
    await stage.app.turn({ endless: null });
    await stage.app.finishJobs();
    await see('Your video is ready');
    await close();
  });
});

describe('with the keyboard alone', () => {
  test('from the first key to the playing video, with every step read out', async () => {
    const before = (await listJobs(stage)).length;
    const { page, see, close } = await visit(browser, stage);
    await see('Emily');
    await stage.app.turn({ endless: true });
    const focused = () =>
      page.evaluate(() => {
        const { activeElement: it } = document;
        return it?.getAttribute('aria-label') ?? it?.id ?? '';
      });
    /** Tabs on until this has the focus. */
    const tabTo = async (isThere: () => Promise<boolean>) => {
      for (let presses = 0; !(await isThere()); presses += 1) {
        if (presses > 60) throw new Error(`Not reached; the focus is on ${await focused()}.`);
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
    const said = page
      .getByRole('region', { name: 'Your lip-sync', exact: true })
      .getByRole('status');
    await said.filter({ hasText: /It is being made/ }).waitFor();

    await tabTo(
      async () => (await page.evaluate(() => document.activeElement?.textContent)) === 'Cancel…',
    );
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Cancel…');

    await stage.app.turn({ endless: null });
    await stage.app.finishJobs();
    await said.filter({ hasText: 'Your video is ready.' }).waitFor();
    await page.getByLabel('Your video').focus();
    await page.keyboard.press('Space');
    await page.waitForFunction(
      () =>
        (document.querySelector('[aria-label="Your video"]') as HTMLVideoElement).currentTime > 0,
    );
    expect((await listJobs(stage)).length).toBe(before + 1);
    await close();
  });
});
