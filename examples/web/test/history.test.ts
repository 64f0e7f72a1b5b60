import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { terminalStatuses } from '../../../test/support/lipsync-app.ts';
import {
  inputOf,
  readVideoIds,
  requestLipsync,
  waitForStatus,
} from '../../../test/support/lipsyncs.ts';
import { openBrowser, videosOn } from './browser.ts';
import { startTestPage, type TestPage } from './test-page.ts';
import { type Visit, visit } from './visit.ts';

let browser: Browser;
let testPage: TestPage;
let visitor: Visit;

beforeAll(async () => {
  browser = await openBrowser();
  testPage = await startTestPage({
    sandbox: {
      accounts: ['a', 'b', 'c'].map((name) => ({ email: `${name}@x.example`, maxJobs: 8 })),
    },
  });
  for (const at of [1, 2, 3, 4, 5, 6, 7])
    await createAndFinish(`Number ${at}`, at % 2 ? 'odd' : 'even');
  await createAndFinish('[[422]] [[moderated]]', 'none');
  await createAndFinish('Wrong [[failed]]', 'odd');
});
afterAll(async () => {
  await browser.close();
  await testPage.close();
});
beforeEach(async () => {
  visitor = await visit(browser, testPage);
});
afterEach(() => visitor.close());

/** Creates a lip-sync and waits for its end, unless it is rejected. */
async function createAndFinish(text: string, reference: string): Promise<void> {
  const { app } = testPage;
  const videoId = (await readVideoIds(app)).at(-1) ?? '';
  const { lipsync } = await requestLipsync(app, inputOf(videoId, text, { reference }));
  if (lipsync !== undefined) await waitForStatus(app, lipsync.id, terminalStatuses);
}

const section = () => visitor.page.getByRole('region', { name: 'Your lip-syncs' });
const rows = () =>
  section()
    .getByRole('button')
    .filter({ hasText: /2\d{3}/ });
const texts = async () => (await rows().allInnerTexts()).map((text) => text.split('\n')[0]);

describe('the list of lip-syncs', () => {
  test('pages forwards and backwards', async () => {
    const { page } = visitor;
    await rows().first().waitFor();
    const first = ['Wrong [[failed]]', 'Number 7', 'Number 6', 'Number 5', 'Number 4'];
    await expect.poll(texts).toEqual(first);
    await page.getByRole('button', { name: 'Older' }).click();
    await section().getByText('Number 3').waitFor();
    await expect.poll(texts).toEqual(['Number 3', 'Number 2', 'Number 1']);
    await section().getByText('Page 2').waitFor();
    await page.getByRole('button', { name: 'Newer' }).click();
    await section().getByText('Number 7').waitFor();
    await expect.poll(texts).toEqual(first);
  });

  test('filters by status and by label', async () => {
    await section().getByText('No video', { exact: true }).click();
    await section().getByText('Number 7').waitFor({ state: 'hidden' });
    await expect.poll(texts).toEqual(['Wrong [[failed]]']);
    await section().getByText('Ready', { exact: true }).first().click();
    await section().getByText('Number 7').waitFor();
    await section().getByLabel('Filter by label').fill('even');
    await section().getByText('Number 7').waitFor({ state: 'hidden' });
    await expect.poll(texts).toEqual(['Number 6', 'Number 4', 'Number 2']);
    await section().getByLabel('Filter by label').fill('nothing');
    await section().getByText('No lip-syncs here yet.').waitFor();
  });

  test('opens a lip-sync, and the back button returns to the last one', async () => {
    const { page, see, waitUntilGone } = visitor;
    await rows().filter({ hasText: 'Number 6' }).click();
    await see('“Number 6”', 'Your video is ready');
    await rows().filter({ hasText: 'Wrong' }).click();
    await see('The video could not be generated');
    await page.goBack();
    await see('“Number 6”', 'Your video is ready');
    await page.goBack();
    await waitUntilGone('“Number 6”');
  });

  test('updates running lip-syncs live', async () => {
    const { fill, submit } = visitor;
    await testPage.app.turn({ endless: true });
    await fill('Still running.');
    await submit();
    await section().getByText('Still running.').waitFor();
    await section()
      .getByText(/Generating \d+ %/)
      .waitFor();
    await section().getByText('In progress', { exact: true }).click();
    await expect.poll(texts).toEqual(['Still running.']);
    await testPage.app.finishJobs();
    await section().getByText('No lip-syncs here yet.').waitFor();
    await testPage.app.turn({ endless: null });
  });
});

describe('the source videos', () => {
  test('load page by page, and the focus moves to the first new one', async () => {
    const { page } = visitor;
    const cards = videosOn(page);
    await cards.first().waitFor();
    expect(await cards.count()).toBe(6);
    await page.getByRole('button', { name: 'Show more videos' }).click();
    await expect.poll(() => cards.count()).toBeGreaterThan(6);
    expect(await cards.nth(6).evaluate((card) => card === document.activeElement)).toBe(true);
  });
});
