import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { keyOf } from '../../../src/graphql/ids.ts';
import { createApiKeys } from '../../../test/support/api-keys.ts';
import type { Job } from '../../../test/support/lipsync-app.ts';
import { requestLipsync, waitForStatus, withHeaders } from '../../../test/support/lipsyncs.ts';
import { findViolations, measureOverflow } from './axe.ts';
import { openBrowser } from './browser.ts';
import { startTestPage, type TestPage } from './test-page.ts';
import { type Visit, visit } from './visit.ts';

const keys = createApiKeys({
  writer: ['lipsync:read', 'lipsync:write', 'videos:read'],
  admin: ['lipsync:read', 'admin'],
});
const tokenOf = (name: 'writer' | 'admin') => keys.headers[name].authorization.replace(/^\S+ /, '');

let browser: Browser;
let testPage: TestPage;
beforeAll(async () => {
  browser = await openBrowser();
  testPage = await startTestPage({
    // No polls: they would find the job that an operator attaches.
    env: { ...keys.env, READ_FRESH_MS: '0', POLL_INTERVAL_MS: '600000' },
    sandbox: { accounts: [{ email: 'one@sandbox.example', maxJobs: 1 }] },
  });
});
afterAll(async () => {
  await browser?.close();
  await testPage?.close();
});

async function create(text: string): Promise<string> {
  const client = withHeaders(testPage.app, keys.headers.writer);
  return (await requestLipsync(client, { text })).lipsync?.id ?? '';
}

const signIn = async ({ page }: Visit, token: string) => {
  await page.getByLabel('Access token', { exact: true }).fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
};
const tableOf = (page: Page, name: string) => page.getByRole('table', { name });

describe('the page of operators', () => {
  test('shows nothing without the scope admin', async () => {
    const visitor = await visit(browser, testPage, { path: '/operators.html' });
    await visitor.see('This page needs a token with the scope admin.');
    await signIn(visitor, tokenOf('writer'));
    await visitor.see('This page needs a token with the scope admin.');
    expect(await visitor.page.getByRole('table').count()).toBe(0);
    await visitor.close();
  });

  test('shows who waits and what is paused, reconnects, ends and erases, and says why it does not requeue', async () => {
    const running = await create('[[never]] One');
    const waiting = await create('Two');
    const visitor = await visit(browser, testPage, { path: '/operators.html' });
    const { page, see } = visitor;
    await signIn(visitor, tokenOf('admin'));
    await see('1 waiting, the oldest since');
    const owner = tableOf(page, 'Queue').getByRole('row').filter({ hasText: 'key:writer' });
    const cells = await owner.getByRole('cell').allInnerTexts();
    expect(cells.slice(0, 3)).toEqual(['key:writer', '1', '1']);
    expect(await findViolations(page)).toEqual([]);
    await page.setViewportSize({ width: 360, height: 800 });
    expect(await measureOverflow(page)).toBeLessThanOrEqual(0);
    await page.setViewportSize({ width: 1280, height: 900 });

    await page.getByRole('button', { name: `End ${waiting}` }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'End it' }).click();
    await dialog.getByRole('alert').waitFor();
    await dialog.getByLabel('Reason, which its owner sees').fill('Sent by mistake.');
    await dialog.getByRole('button', { name: 'End it' }).click();
    await see('0 waiting');
    await page.getByText('Failed', { exact: true }).click();
    await tableOf(page, 'Lip-syncs').getByRole('row').filter({ hasText: waiting }).waitFor();

    await testPage.app.turn({ account596: 'one@sandbox.example' });
    await testPage.app.finishJobs();
    await create('Three');
    await page.getByRole('button', { name: 'Refresh' }).click();
    await see('ACCOUNT_PENDING. Reconnect it with its password.');
    await page.getByRole('button', { name: 'Reconnect one@sandbox.example' }).click();
    await dialog.getByLabel('Password of the account', { exact: true }).fill('a password');
    await dialog.getByRole('button', { name: 'Sign in' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await tableOf(page, 'Accounts').getByText('Open', { exact: true }).waitFor();

    const unknown = await create('[[cut-early]] Four');
    await page.getByText('Unfinished', { exact: true }).click();
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByRole('button', { name: `Requeue ${unknown}` }).click();
    await dialog.getByRole('button', { name: 'Requeue' }).click();
    // It may have been sent.
    await dialog.getByRole('alert').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    await page.getByRole('button', { name: `End ${unknown}` }).click();
    await dialog.getByLabel('Reason, which its owner sees').fill('Not found.');
    await dialog.getByRole('button', { name: 'End it' }).click();
    await dialog.waitFor({ state: 'hidden' });

    await page.getByRole('button', { name: 'Erase key:writer' }).click();
    await dialog.getByRole('button', { name: 'Erase everything' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.getByText('All', { exact: true }).click();
    await vi.waitFor(
      async () => {
        await page.getByRole('button', { name: 'Refresh' }).click();
        expect(await page.getByText(running).count()).toBe(0);
      },
      { timeout: 60_000, interval: 500 },
    );
    await visitor.close();
  });

  test('requeues a lip-sync that was certainly not sent, and attaches the job of an unknown outcome', async () => {
    const { app } = testPage;
    const visitor = await visit(browser, testPage, { path: '/operators.html' });
    const { page } = visitor;
    const dialog = page.getByRole('dialog');
    const statusOf = (id: string, status: string) =>
      tableOf(page, 'Lip-syncs').getByRole('row').filter({ hasText: id }).getByText(status);
    await create('[[never]] Takes the only slot');
    const claimed = await create('Claimed');
    // The state that a process leaves when it dies before the POST.
    await app.app.db.query(
      `update lipsyncs set status = 'SUBMITTING', lease_until = now() + interval '1 hour', attempts = 1,
         account_id = (select id from accounts limit 1), holds_slot = true where id = $1`,
      [keyOf('Lipsync', claimed)],
    );
    await signIn(visitor, tokenOf('admin'));
    await page.getByRole('button', { name: `Requeue ${claimed}` }).click();
    await dialog.getByRole('button', { name: 'Requeue' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await statusOf(claimed, 'QUEUED').waitFor();
    await app.finishJobs();
    await waitForStatus(withHeaders(app, keys.headers.writer), claimed, 'COMPLETED');

    await app.turn({ callbacks: 'none', replyRefInScheduler: false, generatingMs: 10 });
    const unknown = await create('[[cut]] Lost');
    const job = await vi.waitFor(
      async () => {
        const { jobs } = await app.readSandbox<{ jobs: Job[] }>('jobs');
        const found = jobs.find(({ replyRef }) => replyRef === keyOf('Lipsync', unknown));
        expect(found?.status).toBe('COMPLETED');
        return found;
      },
      { timeout: 60_000, interval: 50 },
    );
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByRole('button', { name: `Attach job ${unknown}` }).click();
    await dialog.getByLabel('Id of the job at the video service').fill(job?.video_id ?? '');
    await dialog.getByRole('button', { name: 'Attach' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.getByText('All', { exact: true }).click();
    await statusOf(unknown, 'COMPLETED').waitFor();
    await visitor.close();
  });
});
