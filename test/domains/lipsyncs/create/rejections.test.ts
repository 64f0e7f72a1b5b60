import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../../support/lipsync-app.ts';

const busy = 'Account a@sandbox.example is busy executing 3 tasks.';
const allBusy = 'All configured accounts are running at maximum capacity.';
const limit = 'Reached the limit for concurrent generations.';

/** The upstream's answer to the POST, and the caller's result. The second column is the `limit` of a 429. */
const table: [number, string | null, string, string][] = [
  [400, null, 'InvalidInputError', 'INVALID_INPUT'],
  [401, null, 'UpstreamUnauthorizedError', 'UPSTREAM_UNAUTHORIZED'],
  [402, null, 'SubscriptionExpiredError', 'SUBSCRIPTION_EXPIRED'],
  [404, null, 'NotFoundError', 'NOT_FOUND'],
  [412, null, 'InsufficientCreditsError', 'INSUFFICIENT_CREDITS'],
  [422, null, 'ContentModeratedError', 'CONTENT_MODERATED'],
  [429, 'ACCOUNT_BUSY', 'RateLimitedError', 'RATE_LIMITED'],
  [429, 'ALL_ACCOUNTS_BUSY', 'RateLimitedError', 'RATE_LIMITED'],
  [429, 'PROVIDER_LIMIT', 'RateLimitedError', 'RATE_LIMITED'],
  [596, null, 'AccountPendingError', 'ACCOUNT_PENDING'],
];

const texts: Record<string, string> = {
  ACCOUNT_BUSY: busy,
  ALL_ACCOUNTS_BUSY: allBusy,
  PROVIDER_LIMIT: limit,
};

/** One account per case, so that a paused account does not change the result of another case. */
const emailOf = (at: number) => `case-${at}@sandbox.example`;

let app: LipsyncApp;
beforeAll(async () => {
  app = await startLipsyncApp({
    sandbox: { accounts: table.map((_, at) => ({ email: emailOf(at), maxJobs: 3 })) },
  });
});
afterAll(() => app.stop());
beforeEach(() => app.sendFinalCallbacksOnly());

async function countLipsyncs(reference: string): Promise<number> {
  const { lipsyncs } = await app.askForData<{ lipsyncs: { nodes: object[] } }>(
    'query ($filter: LipsyncFilter) { lipsyncs(filter: $filter) { nodes { id } } }',
    { filter: { reference } },
  );
  return lipsyncs.nodes.length;
}

describe('refuses', () => {
  it.each(
    table.map((row, at) => ({ at, status: row[0], limit: row[1], type: row[2], code: row[3] })),
  )('a $status $limit is a $type that leaves nothing behind', async (row) => {
    const { at, status, limit, type, code } = row;
    const [id] = await app.listVideoIds(emailOf(at));
    const reference = `refused ${at}`;
    const input = {
      video: { videoId: id },
      speech: { script: { text: 'Hello' } },
      idempotencyKey: reference,
      reference,
      whenBusy: 'FAIL',
    };
    const before = (await app.posts()).length;
    const body = limit === null ? {} : { body: { error: texts[limit] } };
    await app.turn({ failPath: { path: '/videos/lipsync', status, ...body } });

    const refused = await app.create(input);
    expect(refused).toMatchObject({
      __typename: type,
      code,
      ...(limit === null ? {} : { limit }),
    });
    expect(refused.retryable).toBe(status === 429);
    if (status === 429) {
      expect(refused.retryAfterSeconds).toBeGreaterThanOrEqual(10);
      expect(refused.retryAfterSeconds).toBeLessThanOrEqual(30);
    }
    expect(refused.message).not.toMatch(/@|user:|127\.0\.0\.1|useapi/);
    expect(await countLipsyncs(reference)).toBe(0);
    expect(await app.posts()).toHaveLength(before + 1);

    // After the pause or cooldown the same key can be used again, and gets a POST of its own.
    app.clock.aheadMs += 31_000;
    const again = await app.create({ ...input, whenBusy: 'FAIL', video: { videoId: id } });
    if (again.__typename === 'RateLimitedError') {
      // A paused account: its recovery is noticed within a tick.
      const made = await app.create({ ...input, whenBusy: 'QUEUE', idempotencyKey: null });
      expect((await app.waitForEnd(idOf(made))).status).toBe('COMPLETED');
      const last = await app.create(input);
      expect(last).toMatchObject({ __typename: 'CreateLipsyncSuccess', replayed: false });
      await app.waitForEnd(idOf(last));
    } else {
      expect(again).toMatchObject({ __typename: 'CreateLipsyncSuccess', replayed: false });
      await app.waitForEnd(idOf(again));
    }
  });

  it('a lip-sync that had waited, which stays with the rejection as its failure', async () => {
    const [id] = await app.listVideoIds(emailOf(0));
    const cases = [
      ['[[400]]', 'FAILED', 'INVALID_INPUT'],
      ['[[404]]', 'FAILED', 'NOT_FOUND'],
      ['[[422]]', 'MODERATED', 'CONTENT_MODERATED'],
    ] as const;
    const long = await Promise.all(
      [1, 2, 3].map((n) => app.create({ video: { videoId: id }, text: `[[never]] ${n}` })),
    );
    const waiting = await Promise.all(
      cases.map(([text]) => app.create({ video: { videoId: id }, text })),
    );
    expect(waiting.map(({ lipsync }) => lipsync?.status)).toEqual(['QUEUED', 'QUEUED', 'QUEUED']);
    await app.cancel(idOf(long[0] as never));
    for (const [at, [, status, code]] of cases.entries()) {
      const ended = await app.waitForEnd(idOf(waiting[at] as never));
      expect(ended).toMatchObject({ status, failure: { code }, progress: { percent: 0 } });
      expect((await app.postsOf(ended.id)).length).toBe(1);
    }
    await Promise.all(long.slice(1).map((made) => app.cancel(idOf(made))));
  });
});

describe('keeps out', () => {
  it("the text of the upstream's rejection", async () => {
    const [id] = await app.listVideoIds(emailOf(3));
    const error = 'The account spy@secret.example with user:1001-sandbox is no good, see /etc/x';
    await app.turn({
      failPath: { path: '/videos/lipsync', status: 400, body: { error } },
    });
    const refused = await app.create({ video: { videoId: id }, text: 'Hi' });
    expect(refused.code).toBe('INVALID_INPUT');
    expect(JSON.stringify(refused)).not.toMatch(/secret\.example|user:1001|spy/);
  });
});
