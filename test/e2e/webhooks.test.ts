import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';

const create = `mutation ($video: ID!, $callbackUrl: String!, $text: String!) {
  createLipsync(input: { video: { id: $video }, speech: { text: { text: $text } }, callbackUrl: $callbackUrl, reference: "order-17" }) {
    __typename
    ... on CreateLipsyncSuccess { lipsync { id } }
    ... on InvalidInputError { issues { path } }
  }
}`;
type Created = {
  createLipsync: { __typename: string; lipsync?: { id: string }; issues?: { path: string[] }[] };
};
type Told = { headers: IncomingHttpHeaders; body: string };

let it: TestApp;
let receiver: ReturnType<typeof createServer>;
let url: string;
let told: PromiseWithResolvers<Told>;

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    const body = await text(request);
    response.end('ok');
    told.resolve({ headers: request.headers, body });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/told`;
  it = await startTestApp({ env: { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1' } });
});
afterAll(async () => {
  await it.stop();
  receiver.close();
});

async function createWith(callbackUrl: string, speech: string): Promise<Created['createLipsync']> {
  const { data } = await it.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 1) { ... on VideoConnection { nodes { id } } } }',
  );
  const video = data?.videos.nodes[0]?.id;
  const answer = await it.ask<Created>(create, { video, callbackUrl, text: speech });
  if (!answer.data) throw new Error(JSON.stringify(answer.errors));
  return answer.data.createLipsync;
}

describe('works', () => {
  test.each([
    ['Hello', 'lipsync.completed', 'COMPLETED'],
    ['Hello [[moderated]]', 'lipsync.moderated', 'MODERATED'],
  ])(
    "the owner's server is told of the end, signed with its own secret: %s",
    async (speech, type, status) => {
      told = Promise.withResolvers();
      const rotated = await it.ask<{ rotateWebhookSecret: { secret: string } }>(
        'mutation { rotateWebhookSecret { ... on RotateWebhookSecretSuccess { secret } } }',
      );
      const { lipsync } = await createWith(url, speech);
      const { headers, body } = await told.promise;
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
  test('addresses inside, before anything is sent or charged', async () => {
    const answer = await createWith('http://169.254.169.254/latest/meta-data', 'Hello');
    expect(answer).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: ['input', 'callbackUrl'] }],
    });
  });
});
