import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKeys } from '../../../test/support/api-keys.ts';
import { openBrowser } from './browser.ts';
import { openStage, type Stage } from './test-page.ts';
import { visit } from './visit.ts';

const keys = createApiKeys({
  maker: ['lipsync:read', 'lipsync:write', 'videos:read'],
  reader: ['lipsync:read', 'videos:read'],
});
const tokenOf = (name: 'maker' | 'reader') => keys.headers[name].authorization.replace(/^\S+ /, '');

let browser: Browser;
let stage: Stage;
beforeAll(async () => {
  browser = await openBrowser();
  stage = await openStage({ env: keys.env });
});
afterAll(async () => {
  await browser.close();
  await stage.close();
});

describe('a server that asks who one is', () => {
  test('lets nobody in before there is a token that holds, and then makes videos', async () => {
    const { page, fill, make, see, close } = await visit(browser, stage);
    const signIn = async (token: string) => {
      await page.getByLabel('Access token', { exact: true }).fill(token);
      await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
    };
    await signIn('wrong');
    await see('This token does not hold.');
    expect(await page.getByRole('radio').count()).toBe(0);

    await signIn(tokenOf('reader'));
    await fill('May I?');
    await make();
    await see('Your access token does not allow that', 'This needs the scope lipsync:write.');
    await page.getByRole('alert').getByRole('button', { name: 'Sign in' }).click();

    await signIn(tokenOf('maker'));
    // What was typed before is still there.
    await page.getByText('May I?').waitFor();
    await make();
    await see('Your video is ready');

    await page.reload();
    await see('Your video is ready');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await see('This server asks who you are.');
    await close();
  });
});
