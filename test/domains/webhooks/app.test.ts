import { afterEach, describe, expect, it, vi } from 'vitest';
import { startTestApp, type TestApp, type TestAppOptions } from '../../support/app.ts';
import { testStorage } from '../../support/database.ts';
import { openReceiver, verify } from './webhook-receiver.ts';

const longWait = { timeout: 20_000, interval: 50 };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(options: TestAppOptions = {}): Promise<TestApp> {
  const env = { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1', ...options.env };
  const app = await startTestApp({ ...options, env });
  closers.push(app.stop);
  return app;
}

async function receive(...options: Parameters<typeof openReceiver>) {
  const receiver = await openReceiver(...options);
  closers.push(receiver.close);
  return receiver;
}

// biome-ignore lint/suspicious/noExplicitAny: each test knows the shape of its query.
async function ask(app: TestApp, query: string, variables = {}): Promise<any> {
  const { data, errors } = await app.ask(query, variables);
  expect(errors).toBeUndefined();
  return data;
}

async function create(app: TestApp, callbackUrl: string, text = 'Hello there.') {
  const { videos } = await ask(
    app,
    '{ videos(first: 1, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  const { createLipsync } = await ask(
    app,
    `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) {
       __typename ... on CreateLipsyncSuccess { lipsync { id } }
       ... on InvalidInputError { issues { path message } } ... on LipsyncError { code } } }`,
    {
      input: {
        video: { id: videos.nodes[0].id },
        speech: { text: { text } },
        reference: 'order 7',
        callbackUrl,
      },
    },
  );
  return createLipsync;
}

const rotate =
  'mutation { rotateWebhookSecret { ... on RotateWebhookSecretSuccess { secret key { hint } } } }';
const readLog =
  'query ($id: ID!) { lipsync(id: $id) { status webhookDeliveries { id type state attempts } } }';

describe('works', () => {
  it('sends a signed webhook when a lip-sync completes, is moderated or is cancelled', async () => {
    const app = await start();
    const receiver = await receive();
    const { rotateWebhookSecret } = await ask(app, rotate);
    const { lipsync } = await create(app, receiver.url);
    await receiver.until(1);
    const [request] = receiver.received;
    expect(request && verify(rotateWebhookSecret.secret, request)).toMatchObject({
      type: 'lipsync.completed',
      data: {
        id: lipsync.id,
        reference: 'order 7',
        status: 'COMPLETED',
        result: { url: expect.stringMatching(/^http/) },
        failure: null,
      },
    });
    await vi.waitFor(async () => {
      const data = await ask(app, readLog, { id: lipsync.id });
      expect(data.lipsync.webhookDeliveries).toEqual([
        {
          id: request?.headers['webhook-id'],
          type: 'lipsync.completed',
          state: 'DELIVERED',
          attempts: 1,
        },
      ]);
    }, longWait);

    await create(app, receiver.url, 'No. [[moderated]]');
    await receiver.until(2);
    expect(JSON.parse(receiver.received[1]?.body ?? '')).toMatchObject({
      type: 'lipsync.moderated',
      data: { result: null, failure: { code: 'CONTENT_MODERATED', retryable: false } },
    });

    const stopped = await create(app, receiver.url);
    await ask(app, 'mutation ($id: ID!) { cancelLipsync(input: { id: $id }) { __typename } }', {
      id: stopped.lipsync.id,
    });
    await receiver.until(3);
    const types = receiver.received.map(({ body }) => JSON.parse(body).type);
    expect(types[2]).toMatch(/^lipsync\.(cancelled|completed)$/);
    expect(JSON.stringify(app.logs)).not.toContain(rotateWebhookSecret.secret.slice(6));
  });

  it('retries after a restart if the receiver was down', async () => {
    const storage = await testStorage();
    closers.push(storage.remove);
    const first = await start({ storage });
    const { port, close } = await receive();
    close();
    const { lipsync } = await create(first, `http://127.0.0.1:${port}/hook`);
    await vi.waitFor(async () => {
      const data = await ask(first, readLog, { id: lipsync.id });
      expect(data.lipsync.webhookDeliveries[0]?.attempts).toBe(1);
    }, longWait);
    await first.app.close();
    const second = await start({
      storage,
      upstream: { baseUrl: first.sandbox.baseUrl, token: first.sandbox.token },
    });
    await vi.waitFor(async () => {
      const data = await ask(second, readLog, { id: lipsync.id });
      expect(data.lipsync.webhookDeliveries[0]?.attempts).toBe(2);
    }, longWait);
  });
});

describe('refuses', () => {
  it('a callbackUrl outside the public internet, before the lip-sync is created', async () => {
    const app = await start({ env: { WEBHOOK_ALLOWED_NETWORKS: '10.1.0.0/16' } });
    for (const url of ['http://127.0.0.1/', 'http://localhost:3000/', 'http://169.254.169.254/']) {
      expect(await create(app, url)).toEqual({
        __typename: 'InvalidInputError',
        code: 'INVALID_INPUT',
        issues: [
          {
            path: ['input', 'callbackUrl'],
            message: 'callbackUrl must point to a server on the public internet.',
          },
        ],
      });
    }
    expect((await create(app, 'ftp://example.com/')).issues[0].path).toEqual([
      'input',
      'callbackUrl',
    ]);
  });
});
