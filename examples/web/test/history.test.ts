import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openBrowser, videosOn } from './browser.ts';
import { openStage, type Stage } from './test-page.ts';
import { type Visit, visit } from './visit.ts';

let browser: Browser;
let stage: Stage;
let guest: Visit;

beforeAll(async () => {
  browser = await openBrowser();
  stage = await openStage({
    sandbox: {
      accounts: ['a', 'b', 'c'].map((name) => ({ email: `${name}@x.example`, maxJobs: 8 })),
    },
  });
  for (const at of [1, 2, 3, 4, 5, 6, 7]) await ask(`Number ${at}`, at % 2 ? 'odd' : 'even');
  await ask('[[422]] [[moderated]]', 'none');
  await ask('Wrong [[failed]]', 'odd');
});
afterAll(async () => {
  await browser.close();
  await stage.close();
});
beforeEach(async () => {
  guest = await visit(browser, stage);
});
afterEach(() => guest.close());

/** Asks for one, and waits for its end. */
async function ask(text: string, reference: string): Promise<void> {
  const { ask: askApi } = stage.app;
  const { data } = await askApi<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  const input = {
    video: { id: data?.videos.nodes.at(-1)?.id },
    speech: { text: { text } },
    reference,
  };
  const made = await askApi<{ createLipsync: { lipsync?: { id: string } } }>(
    `mutation ($input: CreateLipsyncInput!) {
      createLipsync(input: $input) { ... on CreateLipsyncSuccess { lipsync { id } } }
    }`,
    { input },
  );
  const id = made.data?.createLipsync.lipsync?.id;
  if (id === undefined) return;
  const events = stage.app.watchSse(
    'subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { status } } }',
    { id },
  );
  for await (const _ of events);
}

const section = () => guest.page.getByRole('region', { name: 'Your lip-syncs' });
const rows = () =>
  section()
    .getByRole('button')
    .filter({ hasText: /2\d{3}/ });
const texts = async () => (await rows().allInnerTexts()).map((text) => text.split('\n')[0]);

describe('what was made before', () => {
  test('is read by pages, forth and back', async () => {
    const { page } = guest;
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

  test('is found by how it ended, and by its label', async () => {
    await section().getByText('No video', { exact: true }).click();
    await section().getByText('Number 7').waitFor({ state: 'hidden' });
    await expect.poll(texts).toEqual(['Wrong [[failed]]']);
    await section().getByText('Ready', { exact: true }).first().click();
    await section().getByText('Number 7').waitFor();
    await section().getByLabel('With the label').fill('even');
    await section().getByText('Number 7').waitFor({ state: 'hidden' });
    await expect.poll(texts).toEqual(['Number 6', 'Number 4', 'Number 2']);
    await section().getByLabel('With the label').fill('nothing');
    await section().getByText('There is none here yet.').waitFor();
  });

  test('is opened again, and the way back leads back', async () => {
    const { page, see, miss } = guest;
    await rows().filter({ hasText: 'Number 6' }).click();
    await see('“Number 6”', 'Your video is ready');
    await rows().filter({ hasText: 'Wrong' }).click();
    await see('The video could not be made');
    await page.goBack();
    await see('“Number 6”', 'Your video is ready');
    await page.goBack();
    await miss('“Number 6”');
  });

  test('shows what still runs, live', async () => {
    const { fill, make } = guest;
    await stage.app.turn({ endless: true });
    await fill('Still at it.');
    await make();
    await section().getByText('Still at it.').waitFor();
    await section()
      .getByText(/In the making \d+ %/)
      .waitFor();
    await section().getByText('Running', { exact: true }).click();
    await expect.poll(texts).toEqual(['Still at it.']);
    await stage.app.finishJobs();
    await section().getByText('There is none here yet.').waitFor();
    await stage.app.turn({ endless: null });
  });
});

describe('what can speak', () => {
  test('is read by pages too, and the keyboard stays where the new ones begin', async () => {
    const { page } = guest;
    const cards = videosOn(page);
    await cards.first().waitFor();
    expect(await cards.count()).toBe(6);
    await page.getByRole('button', { name: 'Show more videos' }).click();
    await expect.poll(() => cards.count()).toBeGreaterThan(6);
    expect(await cards.nth(6).evaluate((card) => card === document.activeElement)).toBe(true);
  });
});
