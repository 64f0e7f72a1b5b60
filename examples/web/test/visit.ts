import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import { videosOn } from './browser.ts';
import type { Stage } from './test-page.ts';

export type Visit = {
  page: Page;
  /** Chooses a video and types a text. */
  fill(text: string): Promise<void>;
  make(): Promise<void>;
  /** Waits for these words, somewhere on the page. */
  see(...words: string[]): Promise<void>;
  /** Waits until they are gone. */
  miss(words: string): Promise<void>;
  /** What the page's own code complained of. */
  complaints: string[];
  close(): Promise<void>;
};

/** Somebody opens the page, with nothing kept from before. */
export async function visit(
  browser: Browser,
  { line }: Pick<Stage, 'line'>,
  { path = '/', ...options }: BrowserContextOptions & { path?: string } = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${line.url}${path}`);
  return {
    page,
    complaints,
    async fill(text) {
      await videosOn(page).first().check();
      await page.getByLabel('Text', { exact: true }).fill(text);
    },
    make: () => page.getByRole('button', { name: 'Make the video' }).click(),
    async see(...words) {
      for (const each of words) await page.getByText(each).first().waitFor();
    },
    miss: (words) => page.getByText(words).first().waitFor({ state: 'hidden' }),
    async close() {
      await context.close();
      expect(complaints).toEqual([]);
    },
  };
}

type Listed = { id: string; status: string; text: string | null; reference: string | null };

/** All lip-syncs that there are, the newest first. */
export async function listLipsyncs({ app }: Pick<Stage, 'app'>): Promise<Listed[]> {
  const { data } = await app.ask<{ lipsyncs: { nodes: Listed[] } }>(
    '{ lipsyncs(first: 100) { nodes { id status text reference } } }',
  );
  return data?.lipsyncs.nodes ?? [];
}

type Job = {
  spoken: string;
  status: string;
  request: { audioPath?: string; videoPath?: string; speakerId?: string };
};

/** What was ever asked of the video service, and so paid for. */
export async function listJobs({ app }: Pick<Stage, 'app'>): Promise<Job[]> {
  const { jobs } = await app.readSandbox<{ jobs: Job[] }>('jobs');
  return jobs;
}
