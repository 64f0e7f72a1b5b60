import { type Browser, chromium } from 'playwright-core';

/**
 * Starts the Chromium of the system or of CHROMIUM. It makes no requests of its own, so every request is the page's.
 *
 * @param args further command-line switches
 */
export function launchBrowser(...args: string[]): Promise<Browser> {
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
      ...args,
    ],
  });
}
