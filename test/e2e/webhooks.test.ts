import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { requestLipsync } from '../support/lipsyncs.ts';

type Delivery = { headers: IncomingHttpHeaders; body: string };

let it: TestApp;
let receiver: ReturnType<typeof createServer>;
let url: string;
let delivered: PromiseWithResolvers<Delivery>;

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    const body = await text(request);
    response.end('ok');
    delivered.resolve({ headers: request.headers, body });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
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
      delivered = Promise.withResolvers();
      const rotated = await it.ask<{ rotateWebhookSecret: { secret: string } }>(
        'mutation { rotateWebhookSecret { ... on RotateWebhookSecretSuccess { secret } } }',
      );
      const { lipsync } = await createWith(url, speech);
      const { headers, body } = await delivered.promise;
      const secret = rotated.data?.rotateWebhookSecret.secret ?? '';
      expect(() =>
        new Webhook(secret).verify(body, headers as Record<string, string>),
      ).not.toThrow();
      expect(JSON.parse(body)).toMatchObject({
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
