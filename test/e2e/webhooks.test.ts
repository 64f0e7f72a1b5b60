import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  openReceiver,
  type Received,
  type Receiver,
  verify,
} from '../domains/webhooks/webhook-receiver.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { requestLipsync } from '../support/lipsyncs.ts';

let it: TestApp;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await openReceiver();
  it = await startTestApp({ env: { OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1' } });
});
afterAll(async () => {
  await it.stop();
  receiver.close();
});

const createWith = (callbackUrl: string, text: string) =>
  requestLipsync(it, { callbackUrl, text, reference: 'order-17' });

describe('works', () => {
  test.each([
    ['Hello', 'lipsync.completed', 'COMPLETED'],
    ['Hello [[moderated]]', 'lipsync.moderated', 'MODERATED'],
  ])(
    "sends the end of a lip-sync to its owner's server, signed with the owner's secret: %s",
    async (speech, type, status) => {
      const before = receiver.received.length;
      const rotated = await it.ask<{ rotateWebhookSecret: { secret: string } }>(
        'mutation { rotateWebhookSecret { ... on RotateWebhookSecretSuccess { secret } } }',
      );
      const { lipsync } = await createWith(receiver.url, speech);
      await receiver.until(before + 1);
      const [delivery] = receiver.received.slice(before);
      const secret = rotated.data?.rotateWebhookSecret.secret ?? '';
      expect(verify(secret, delivery as Received)).toMatchObject({
        type,
        data: { id: lipsync?.id, reference: 'order-17', status },
      });
    },
  );
});

describe('keeps out', () => {
  test('webhook addresses in private networks, before anything is sent or charged', async () => {
    const answer = await createWith('http://169.254.169.254/latest/meta-data', 'Hello');
    expect(answer).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: ['input', 'callbackUrl'] }],
    });
  });
});
