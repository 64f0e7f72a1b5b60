import { type Browser, chromium } from 'playwright-core';

/**
 * Chromium, that of the system or of CHROMIUM. Nothing of its own goes out, so that a request to elsewhere is the page's.
 *
 * @param args more of its switches
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
