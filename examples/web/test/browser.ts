import { type Browser, chromium, type Page } from 'playwright-core';

/** Without a network of its own, and with a microphone that hums. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
    ],
  });
}

/** The videos that can be chosen. */
export function videosOn(page: Page) {
  return page.getByRole('group', { name: 'Who speaks?' }).getByRole('radio');
}
