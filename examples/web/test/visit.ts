import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import { videosOn } from './browser.ts';
import type { TestPage } from './test-page.ts';

export type Visit = {
  page: Page;
  /** Chooses a video and types a text. */
  fill(text: string): Promise<void>;
  submit(): Promise<void>;
  /** Waits until each text is visible on the page. */
  see(...texts: (string | RegExp)[]): Promise<void>;
  /** Waits until the text is gone. */
  waitUntilGone(text: string): Promise<void>;
  /** Uncaught errors of the page's code. `close` expects none. */
  pageErrors: string[];
  close(): Promise<void>;
};

/** Opens the page in a new browser context, without stored state. */
export async function visit(
  browser: Browser,
  { line }: Pick<TestPage, 'line'>,
  { path = '/', ...options }: BrowserContextOptions & { path?: string } = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const pageErrors: string[] = [];
  page.on('pageerror', (error) => pageErrors.push(error.message));
  await page.goto(`${line.url}${path}`);
  return {
    page,
    pageErrors,
    async fill(text) {
      await videosOn(page).first().check();
      await page.getByLabel('Text', { exact: true }).fill(text);
    },
    submit: () => page.getByRole('button', { name: 'Create video' }).click(),
    async see(...texts) {
      for (const each of texts) {
        await page
          .getByText(each)
          .first()
          .waitFor()
          .catch(async () => {
            throw new Error(
              `“${each}” did not appear. The page shows: ${await page.textContent('main')}`,
            );
          });
      }
    },
    waitUntilGone: (text) => page.getByText(text).first().waitFor({ state: 'hidden' }),
    async close() {
      await context.close();
      expect(pageErrors).toEqual([]);
    },
  };
}

type Listed = {
  id: string;
  status: string;
  isFinal: boolean;
  text: string | null;
  reference: string | null;
};

/** All lip-syncs on the server, newest first. */
export async function listLipsyncs({ app }: Pick<TestPage, 'app'>): Promise<Listed[]> {
  const { data } = await app.ask<{ lipsyncs: { nodes: Listed[] } }>(
    '{ lipsyncs(first: 100) { nodes { id status isFinal text reference } } }',
  );
  return data?.lipsyncs.nodes ?? [];
}

type Job = {
  spoken: string;
  status: string;
  request: {
    audioPath?: string;
    videoPath?: string;
    videoId?: string;
    speakerId?: string;
    originalSound: boolean;
    offPeak: boolean;
  };
};

/** All jobs that the video service received, and so charges for. */
export async function listJobs({ app }: Pick<TestPage, 'app'>): Promise<Job[]> {
  const { jobs } = await app.readSandbox<{ jobs: Job[] }>('jobs');
  return jobs;
}
