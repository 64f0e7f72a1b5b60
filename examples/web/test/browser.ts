import type { Browser, Page } from 'playwright-core';
import { launchBrowser } from '../../../test/support/browser.ts';

/** With a fake microphone that plays a tone. */
export function openBrowser(): Promise<Browser> {
  return launchBrowser('--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream');
}

/** The radio buttons of the source videos. */
export function videosOn(page: Page) {
  return page.getByRole('group', { name: 'Video', exact: true }).getByRole('radio');
}
