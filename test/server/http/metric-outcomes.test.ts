import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openReceiver, type Receiver } from '../../domains/webhooks/webhook-receiver.ts';
import {
  idOf,
  type LipsyncApp,
  progressSubscription,
  shortIntervals,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { scrape, sumOf } from '../../support/metrics.ts';

let app: LipsyncApp;
let receiver: Receiver;
let video: string;
beforeAll(async () => {
  receiver = await openReceiver((response, _, path) => {
    response.writeHead(path.endsWith('busy') ? 503 : 204).end();
  });
  app = await startLipsyncApp({
    intervals: shortIntervals,
    env: { POLL_INTERVAL_MS: '200', OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1' },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(async () => {
  await app?.stop();
  receiver?.close();
});

const create = (text: string, more: object = {}) =>
  app.create({ video: { videoId: video }, text, ...more });
const count = async (name: string, labels: Record<string, string>) =>
  sumOf(await scrape(app.url), name, labels) ?? 0;

describe('/metrics counts', () => {
  test('an attempt of a webhook that is retried later, and one that is delivered', async () => {
    const attempts = (result: string) => count('webhook_deliveries_total', { result });
    await create('Busy.', { callbackUrl: `${receiver.url}&busy` });
    await expect.poll(() => attempts('retried'), longWait).toBeGreaterThan(0);
    expect(await attempts('delivered')).toBe(0);
    await create('Free.', { callbackUrl: receiver.url });
    await expect.poll(() => attempts('delivered'), longWait).toBe(1);
    expect(await attempts('failed')).toBe(0);
  });

  test('a poll that the video service answers', async () => {
    const polls = () => count('lipsync_polls_total', { result: 'ok' });
    const before = await polls();
    await app.waitForEnd(idOf(await create('[[no-callback]] Polled.')));
    await expect.poll(polls, longWait).toBeGreaterThan(before);
    expect(await count('lipsync_polls_total', { result: 'failed' })).toBe(0);
  });

  test.each(['multipart', 'callback'] as const)(
    'a subscription over %s, until it ends',
    async (transport) => {
      const streams = () => count('graphql_streams', { transport });
      const id = idOf(await create('[[never]] Open.'));
      const subscription = {
        ...{ callbackUrl: receiver.url, subscriptionId: 'one', verifier: 'x' },
        heartbeatIntervalMs: 0,
      };
      const response = await fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept:
            transport === 'multipart'
              ? 'multipart/mixed;subscriptionSpec=1.0'
              : 'application/json;callbackSpec=1.0',
        },
        body: JSON.stringify({
          query: progressSubscription,
          variables: { id },
          ...(transport === 'callback' ? { extensions: { subscription } } : {}),
        }),
      });
      expect(response.status).toBe(200);
      await expect.poll(streams, longWait).toBe(1);
      await app.cancel(id);
      await response.text();
      await expect.poll(streams, longWait).toBe(0);
    },
  );

  // The last test: it closes the sandbox.
  test('a POST by its outcome: unknown, busy and not sent', async () => {
    const outcomes = async () => {
      const names = ['unknown', 'busy', 'not_sent', 'rejected'];
      const counts = names.map((outcome) => count('lipsync_submissions_total', { outcome }));
      return Object.fromEntries((await Promise.all(counts)).map((each, at) => [names[at], each]));
    };
    await app.waitForEnd(idOf(await create('This video is known from now on.')));
    const none = { unknown: 0, busy: 0, not_sent: 0, rejected: 0 };
    expect(await outcomes()).toEqual(none);
    await create('[[cut-early]]');
    expect(await outcomes()).toEqual({ ...none, unknown: 1 });
    const { lipsync } = await create('[[429]]');
    await app.cancel(lipsync?.id ?? '');
    expect(await outcomes()).toEqual({ ...none, unknown: 1, busy: 1 });
    // The account is used again.
    app.clock.aheadMs += 60_000;
    await app.sandbox.close();
    expect(await create('Not sent.')).toMatchObject({ __typename: 'UpstreamUnavailableError' });
    expect(await outcomes()).toEqual({ unknown: 1, busy: 1, not_sent: 1, rejected: 0 });
  });
});
