import type { LipsyncErrorCode } from 'lipsync-graphql-client';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestAppOptions } from '../../../test/support/app.ts';
import { openBrowser, videosOn } from './browser.ts';
import { openStage, type Stage } from './test-page.ts';
import { listJobs, type Visit, visit } from './visit.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

type Scene = {
  /** How it comes about. */
  meet: (guest: Visit, stage: Stage) => Promise<unknown>;
  /** What is said, and what can be done. */
  words: string[];
  button?: string;
  options?: TestAppOptions;
};

/** The sandbox is asked for it by a phrase. */
const say =
  (text: string): Scene['meet'] =>
  async ({ fill, make }) => {
    await fill(text);
    await make();
  };

/** What no sandbox can be made to answer: the server itself says so. */
const answer =
  (failure: object): Scene['meet'] =>
  async (guest) => {
    await guest.page.route('**/graphql', (route) =>
      route.request().postData()?.includes('CreateLipsync')
        ? route.fulfill({ json: { data: { answer: failure } } })
        : route.continue(),
    );
    await say('Hello.')(guest, {} as Stage);
  };

const operator = 'Nobody but the people who run this service can mend that.';

/** One for each code that there is; the compiler asks for a new one. */
const scenes: Record<LipsyncErrorCode | 'FUTURE', Scene> = {
  INVALID_INPUT: {
    meet: say('[[400]]'),
    words: ['Something needs to be changed', 'Nothing was sent, and nothing was charged.'],
    button: 'Change the text',
  },
  NOT_FOUND: {
    meet: say('[[404]]'),
    words: ['That is not there any more'],
    button: 'Choose another video',
  },
  CONTENT_MODERATED: {
    meet: say('[[422]]'),
    words: ['The video service does not want to make this'],
    button: 'Change the text',
  },
  GENERATION_FAILED: {
    meet: say('[[failed]]'),
    words: ['The video could not be made', 'Another video or a clearer recording may do better.'],
    button: 'Choose another video',
  },
  IDEMPOTENCY_CONFLICT: {
    async meet({ page }, { app }) {
      const idempotencyKey = 'used';
      const video = { id: await anyVideo(app) };
      const input = (text: string) => ({ video, speech: { text: { text } } });
      await app.ask(
        `mutation ($input: CreateLipsyncInput!) {
          createLipsync(input: $input) { ... on CreateLipsyncSuccess { lipsync { id } } }
        }`,
        { input: { ...input('One.'), idempotencyKey } },
      );
      // A page that has not begun yet would ask before it is loaded again.
      await videosOn(page).first().waitFor();
      await page.evaluate(
        (pending) => sessionStorage.setItem('pending', pending),
        JSON.stringify({ idempotencyKey, input: input('Another.') }),
      );
      await page.reload();
    },
    words: ['That was asked for already, with other content', 'Nothing new was sent.'],
    button: 'Try again',
  },
  NOT_AUTHENTICATED: {
    meet: answer({
      __typename: 'NotAuthenticatedError',
      code: 'NOT_AUTHENTICATED',
      message: 'Sign in to do this.',
      retryable: false,
      retryAfterSeconds: null,
    }),
    words: ['You are not signed in'],
    button: 'Sign in',
  },
  NOT_AUTHORIZED: {
    meet: answer({
      __typename: 'NotAuthorizedError',
      code: 'NOT_AUTHORIZED',
      message: 'This needs the scope lipsync:write.',
      retryable: false,
      retryAfterSeconds: null,
    }),
    words: ['Your access token does not allow that', 'This needs the scope lipsync:write.'],
    button: 'Sign in',
  },
  RATE_LIMITED: {
    async meet(guest, stage) {
      await guest.page.getByText('More options').click();
      await guest.page.getByRole('switch', { name: 'Wait in line when it is busy' }).uncheck();
      await say('[[429]]')(guest, stage);
    },
    words: ['The video service is busy', 'The account of this video has no place free.', 'seconds'],
    button: 'Try again',
  },
  QUEUE_FULL: {
    options: {
      env: { QUEUE_LIMIT: '1' },
      sandbox: { accounts: [{ email: 'one@sandbox.example', maxJobs: 1 }] },
    },
    async meet(guest, stage) {
      await stage.app.turn({ endless: true });
      await say('One.')(guest, stage);
      await guest.see('“One.”', 'Your video is being made');
      await say('Two.')(guest, stage);
      await guest.see('“Two.”', 'Next in line');
      await say('Three.')(guest, stage);
    },
    words: ['The waiting line is full', 'Try again in'],
    button: 'Try again',
  },
  QUOTA_EXCEEDED: {
    options: { env: { LIPSYNCS_PER_DAY: '1' } },
    async meet(guest, stage) {
      await say('One.')(guest, stage);
      await guest.see('Your video is ready');
      await say('Two.')(guest, stage);
    },
    words: ['You have reached your limit', 'Try again in 24 hours.'],
    button: 'Try again',
  },
  UPSTREAM_UNAVAILABLE: {
    meet: answer({
      __typename: 'UpstreamUnavailableError',
      code: 'UPSTREAM_UNAVAILABLE',
      message: 'The video service can not be reached.',
      retryable: true,
      retryAfterSeconds: null,
    }),
    words: ['The video service does not answer', 'Try again in a moment.'],
    button: 'Try again',
  },
  OUTCOME_UNKNOWN: {
    meet: say('[[500]]'),
    words: ['Nobody knows yet whether this worked', 'you may pay twice', 'Being sent'],
  },
  INSUFFICIENT_CREDITS: {
    meet: say('[[412]]'),
    words: ['The account has no credits left', operator],
  },
  SUBSCRIPTION_EXPIRED: {
    meet: say('[[402]]'),
    words: ['The subscription to the video service has ended', operator],
  },
  UPSTREAM_UNAUTHORIZED: {
    meet: say('[[401]]'),
    words: ['The video service does not know this server any more', operator],
  },
  ACCOUNT_PENDING: {
    meet: say('[[596]]'),
    words: ['The account at the video service is on hold', operator],
  },
  FUTURE: {
    meet: answer({
      __typename: 'BrandNewError',
      code: 'BRAND_NEW',
      message: 'The moon is in the way.',
      retryable: true,
      retryAfterSeconds: 30,
    }),
    words: ['This did not work', 'The moon is in the way. Try again in 30 seconds.'],
    button: 'Try again',
  },
};

async function anyVideo({ ask }: Stage['app']): Promise<string> {
  const { data } = await ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  return data?.videos.nodes[0]?.id ?? '';
}

describe('tells in words, with what to do next', () => {
  test.each(Object.entries(scenes))('%s', async (_, { meet, words, button, options }) => {
    const stage = await openStage(options);
    const guest = await visit(browser, stage);
    try {
      await meet(guest, stage);
      await guest.see(...words);
      const notice = guest.page.getByRole('alert').filter({ hasText: words[0] ?? '' });
      const offered = await notice.getByRole('button').allInnerTexts();
      expect(offered).toEqual(button === undefined ? [] : [button]);
    } finally {
      await guest.close();
      await stage.close();
    }
  });

  test('what is refused only while it is made', async () => {
    const stage = await openStage();
    const guest = await visit(browser, stage);
    await say('[[moderated]]')(guest, stage);
    await guest.see('The video service does not want to make this', 'Refused');
    await guest.page.getByRole('button', { name: 'Change what is said' }).click();
    await guest.page.keyboard.press('End');
    await guest.page.keyboard.type(' better');
    expect(await guest.page.getByLabel('Text', { exact: true }).inputValue()).toContain('better');
    await guest.close();
    await stage.close();
  });

  test('an outcome that nobody ever finds out', async () => {
    const stage = await openStage({ env: { MAX_JOB_MS: '1000' } });
    const guest = await visit(browser, stage);
    await say('[[500]]')(guest, stage);
    await guest.see('Nobody knows yet whether this worked', 'Not made');
    expect(await listJobs(stage)).toEqual([]);
    await guest.close();
    await stage.close();
  });

  test('a video service that can not be read, until it can', async () => {
    const stage = await openStage();
    await stage.app.turn({ burst5xx: 1_000 });
    const guest = await visit(browser, stage);
    await guest.see('The video service does not answer');
    // The videos and the voices, each when its answer comes.
    const again = guest.page.getByRole('button', { name: 'Try again' });
    await expect.poll(() => again.count()).toBe(2);
    await stage.app.turn({ burst5xx: null });
    for (const left of [2, 1]) {
      await expect.poll(() => again.count()).toBe(left);
      await again.first().click();
    }
    await guest.page.getByRole('radio', { name: 'Emily' }).waitFor();
    await guest.page.getByRole('radio', { name: 'coral blazer' }).first().waitFor();
    await guest.close();
    await stage.close();
  });

  test('a lip-sync that is not there', async () => {
    const stage = await openStage();
    const guest = await visit(browser, stage, { path: '/?lipsync=none' });
    await guest.see('There is no such lip-sync');
    await guest.page.getByRole('button', { name: 'Close this lip-sync' }).click();
    await guest.miss('There is no such lip-sync');
    expect(guest.page.url()).toBe(`${stage.line.url}/`);
    await guest.close();
    await stage.close();
  });

  test('a form that is not complete, at the first field that is missing', async () => {
    const stage = await openStage();
    const guest = await visit(browser, stage);
    const { page, make, see } = guest;
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('name'));
    await videosOn(page).first().waitFor();
    await make();
    await see('Choose a video, or upload one of your own.', 'Type what shall be said.');
    expect(await focused()).toBe('video');
    await guest.fill('x'.repeat(203));
    await see('203 of 200 characters', 'That is 3 characters too long.');
    await make();
    expect(await listJobs(stage)).toEqual([]);
    await guest.close();
    await stage.close();
  });
});
