import type { LipsyncErrorCode } from 'lipsync-graphql-client';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestAppOptions } from '../../../test/support/app.ts';
import { createLipsync, inputOf, readVideoIds } from '../../../test/support/lipsyncs.ts';
import { openBrowser, videosOn } from './browser.ts';
import { startTestPage, type TestPage } from './test-page.ts';
import { listJobs, type Visit, visit } from './visit.ts';

let browser: Browser;
/** For all scenes that leave the server and its accounts as they were, one after the other on the same visit. */
let shared: TestPage;
let visitor: Visit;
beforeAll(async () => {
  browser = await openBrowser();
  shared = await startTestPage();
  visitor = await visit(browser, shared);
});
afterAll(async () => {
  await visitor.close();
  await browser.close();
  await shared.close();
});

type Scene = {
  /** Provokes the failure. */
  provoke: (visitor: Visit, testPage: TestPage) => Promise<unknown>;
  /** The visible texts, of which the first is the title. */
  texts: string[];
  button?: string;
  /** Of a server of its own: the scene needs them, or the failure pauses the account. */
  options?: TestAppOptions;
};

/** Creates a lip-sync whose text makes the sandbox fail. */
const createWithText =
  (text: string): Scene['provoke'] =>
  async ({ fill, submit }) => {
    await fill(text);
    await submit();
  };

/** Replaces the server's answer, for failures that the sandbox cannot produce. */
const answerWith =
  (failure: object): Scene['provoke'] =>
  async (visitor) => {
    await visitor.page.route('**/graphql', (route) =>
      route.request().postData()?.includes('CreateLipsync')
        ? route.fulfill({ json: { data: { answer: failure } } })
        : route.continue(),
    );
    await createWithText('Hello.')(visitor, {} as TestPage);
  };

const operator = 'Only the operator of this service can fix this.';

/** One per code: a missing one is a type error. */
const scenes: Record<LipsyncErrorCode | 'FUTURE', Scene> = {
  INVALID_INPUT: {
    provoke: createWithText('[[400]]'),
    texts: ['Check your input', 'Nothing was sent or charged.'],
    button: 'Edit the text',
  },
  NOT_FOUND: {
    provoke: createWithText('[[404]]'),
    texts: ['No longer available'],
    button: 'Choose another video',
  },
  CONTENT_MODERATED: {
    provoke: createWithText('[[422]]'),
    texts: ['Content rejected'],
    button: 'Edit the text',
  },
  GENERATION_FAILED: {
    provoke: createWithText('[[failed]]'),
    texts: ['The video could not be generated', 'Another video or a clearer recording may work.'],
    button: 'Choose another video',
  },
  IDEMPOTENCY_CONFLICT: {
    async provoke({ page }, { app }) {
      const idempotencyKey = 'used';
      const [videoId = ''] = await readVideoIds(app);
      await createLipsync(app, inputOf(videoId, 'One.', { idempotencyKey }));
      // Waits for the page to start: it sends a stored pending request on load.
      await videosOn(page).first().waitFor();
      await page.evaluate(
        (pending) => sessionStorage.setItem('pending', pending),
        JSON.stringify({ idempotencyKey, input: inputOf(videoId, 'Another.') }),
      );
      await page.reload();
    },
    texts: ['Already requested with other content', 'Nothing was sent.'],
    button: 'Try again',
  },
  NOT_AUTHENTICATED: {
    provoke: answerWith({
      __typename: 'NotAuthenticatedError',
      code: 'NOT_AUTHENTICATED',
      message: 'Sign in to do this.',
      retryable: false,
      retryAfterSeconds: null,
    }),
    texts: ['You are not signed in'],
    button: 'Sign in',
  },
  NOT_AUTHORIZED: {
    provoke: answerWith({
      __typename: 'NotAuthorizedError',
      code: 'NOT_AUTHORIZED',
      message: 'This needs the scope lipsync:write.',
      retryable: false,
      retryAfterSeconds: null,
    }),
    texts: ['Your access token does not allow this', 'This needs the scope lipsync:write.'],
    button: 'Sign in',
  },
  RATE_LIMITED: {
    options: {},
    async provoke(visitor, testPage) {
      await visitor.page.getByText('More options').click();
      await visitor.page.getByRole('switch', { name: 'Wait in the queue when busy' }).uncheck();
      await createWithText('[[429]]')(visitor, testPage);
    },
    texts: ['The video service is busy', 'The account of this video has no free slot.', 'seconds'],
    button: 'Try again',
  },
  QUEUE_FULL: {
    options: {
      env: { QUEUE_LIMIT: '1' },
      sandbox: { accounts: [{ email: 'one@sandbox.example', maxJobs: 1 }] },
    },
    async provoke(visitor, testPage) {
      await testPage.app.turn({ endless: true });
      await createWithText('One.')(visitor, testPage);
      await visitor.see('“One.”', 'Generating your video');
      await createWithText('Two.')(visitor, testPage);
      await visitor.see('“Two.”', 'Next in the queue');
      await createWithText('Three.')(visitor, testPage);
    },
    texts: ['The queue is full', 'Try again in'],
    button: 'Try again',
  },
  QUOTA_EXCEEDED: {
    options: { env: { LIPSYNCS_PER_DAY: '1' } },
    async provoke(visitor, testPage) {
      await createWithText('One.')(visitor, testPage);
      await visitor.see('Your video is ready');
      await createWithText('Two.')(visitor, testPage);
    },
    texts: ['You have reached your limit', 'Try again in 24 hours.'],
    button: 'Try again',
  },
  UPSTREAM_UNAVAILABLE: {
    provoke: answerWith({
      __typename: 'UpstreamUnavailableError',
      code: 'UPSTREAM_UNAVAILABLE',
      message: 'The video service cannot be reached.',
      retryable: true,
      retryAfterSeconds: null,
    }),
    texts: ['The video service is unavailable', 'Try again in a moment.'],
    button: 'Try again',
  },
  OUTCOME_UNKNOWN: {
    provoke: createWithText('[[500]]'),
    texts: ['The result is not known yet', 'you may pay twice', 'Sending'],
  },
  INSUFFICIENT_CREDITS: {
    provoke: createWithText('[[412]]'),
    options: {},
    texts: ['Not enough credits', operator],
  },
  SUBSCRIPTION_EXPIRED: {
    provoke: createWithText('[[402]]'),
    options: {},
    texts: ['The video service subscription has expired', operator],
  },
  UPSTREAM_UNAUTHORIZED: {
    provoke: createWithText('[[401]]'),
    options: {},
    texts: ['The video service rejected this server’s credentials', operator],
  },
  ACCOUNT_PENDING: {
    provoke: createWithText('[[596]]'),
    options: {},
    texts: ['The video service account is on hold', operator],
  },
  FUTURE: {
    provoke: answerWith({
      __typename: 'NewServerError',
      code: 'NEW_SERVER',
      message: 'A new kind of failure.',
      retryable: true,
      retryAfterSeconds: 30,
    }),
    texts: ['Something went wrong', 'A new kind of failure. Try again in 30 seconds.'],
    button: 'Try again',
  },
};

async function expectScene(
  { provoke, texts, button }: Scene,
  on: Visit,
  testPage: TestPage,
): Promise<void> {
  await provoke(on, testPage);
  await on.see(...texts);
  const notice = on.page.getByRole('alert').filter({ hasText: texts[0] ?? '' });
  const offered = await notice.getByRole('button').allInnerTexts();
  expect(offered).toEqual(button === undefined ? [] : [button]);
}

describe('shows each failure with the next step', () => {
  const entries = Object.entries(scenes);

  test.each(entries.filter(([, { options }]) => options === undefined))('%s', async (_, scene) => {
    await visitor.page.unrouteAll();
    await expectScene(scene, visitor, shared);
  });

  test.each(entries.filter(([, { options }]) => options !== undefined))('%s', async (_, scene) => {
    const testPage = await startTestPage(scene.options);
    const own = await visit(browser, testPage);
    await expectScene(scene, own, testPage);
    await own.close();
    await testPage.close();
  });

  test('a rejection during generation', async () => {
    await visitor.page.unrouteAll();
    await createWithText('[[moderated]]')(visitor, shared);
    await visitor.see('Content rejected', 'Rejected');
    await visitor.page.getByRole('button', { name: 'Change the speech' }).click();
    await visitor.page.keyboard.press('End');
    await visitor.page.keyboard.type(' better');
    expect(await visitor.page.getByLabel('Text', { exact: true }).inputValue()).toContain('better');
  });

  test('an outcome that stays unknown', async () => {
    const testPage = await startTestPage({ env: { MAX_JOB_MS: '1000' } });
    const own = await visit(browser, testPage);
    await createWithText('[[500]]')(own, testPage);
    await own.see('The result is not known yet', 'Failed');
    expect(await listJobs(testPage)).toEqual([]);
    await own.close();
    await testPage.close();
  });

  test('an unavailable video service, until a retry succeeds', async () => {
    const testPage = await startTestPage();
    await testPage.app.turn({ burst5xx: 1_000 });
    const own = await visit(browser, testPage);
    await own.see('The video service is unavailable');
    // One for the videos, one for the voices.
    const retryButtons = own.page.getByRole('button', { name: 'Try again' });
    await expect.poll(() => retryButtons.count()).toBe(2);
    await testPage.app.turn({ burst5xx: null });
    for (const remaining of [2, 1]) {
      await expect.poll(() => retryButtons.count()).toBe(remaining);
      await retryButtons.first().click();
    }
    await own.page.getByRole('radio', { name: 'Emily' }).waitFor();
    await own.page.getByRole('radio', { name: 'coral blazer' }).first().waitFor();
    await own.close();
    await testPage.close();
  });

  test('an unknown lip-sync', async () => {
    const own = await visit(browser, shared, { path: '/?lipsync=none' });
    await own.see('Lip-sync not found');
    await own.page.getByRole('button', { name: 'Close this lip-sync' }).click();
    await own.waitUntilGone('Lip-sync not found');
    expect(own.page.url()).toBe(`${shared.line.url}/`);
    await own.close();
  });

  test('an incomplete form, with the focus on the first missing field', async () => {
    const own = await visit(browser, shared);
    const { page, submit, see } = own;
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('name'));
    await videosOn(page).first().waitFor();
    await submit();
    await see('Choose or upload a video.', 'Enter the text to speak.');
    expect(await focused()).toBe('video');
    await own.fill('x'.repeat(203));
    await see('203 of 200 characters', 'The text is 3 characters too long.');
    await submit();
    const sent = (await listJobs(shared)).filter(({ spoken }) => spoken.startsWith('xxx'));
    expect(sent).toEqual([]);
    await own.close();
  });
});
