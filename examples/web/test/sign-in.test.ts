import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKeys } from '../../../test/support/api-keys.ts';
import { openBrowser } from './browser.ts';
import { startTestPage, type TestPage } from './test-page.ts';
import { visit } from './visit.ts';

const keys = createApiKeys({
  writer: ['lipsync:read', 'lipsync:write', 'videos:read'],
  reader: ['lipsync:read', 'videos:read'],
});
const tokenOf = (name: 'writer' | 'reader') =>
  keys.headers[name].authorization.replace(/^\S+ /, '');

let browser: Browser;
let testPage: TestPage;
beforeAll(async () => {
  browser = await openBrowser();
  testPage = await startTestPage({ env: keys.env });
});
afterAll(async () => {
  await browser.close();
  await testPage.close();
});

describe('a server that requires a token', () => {
  test('shows the form only with a valid token, and creates a video with it', async () => {
    const { page, fill, submit, see, close } = await visit(browser, testPage);
    const signIn = async (token: string) => {
      await page.getByLabel('Access token', { exact: true }).fill(token);
      await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
    };
    await signIn('wrong');
    await see('This token is invalid or expired.');
    expect(await page.getByRole('radio').count()).toBe(0);

    await signIn(tokenOf('reader'));
    await fill('Hello from a reader.');
    await submit();
    await see('Your access token does not allow this', 'lipsync:write');
    await page.getByRole('alert').getByRole('button', { name: 'Sign in' }).click();

    await signIn(tokenOf('writer'));
    // The draft is still there.
    await page.getByText('Hello from a reader.').waitFor();
    await submit();
    await see('Your video is ready');

    await page.reload();
    await see('Your video is ready');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await see('This server requires an access token.');
    await close();
  });
});
