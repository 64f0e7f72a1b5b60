import type { Browser, Page } from 'playwright-core';
import { launchBrowser } from '../../../test/support/browser.ts';

/** With a microphone that hums. */
export function openBrowser(): Promise<Browser> {
  return launchBrowser('--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream');
}

/** The videos that can be chosen. */
export function videosOn(page: Page) {
  return page.getByRole('group', { name: 'Who speaks?' }).getByRole('radio');
}
