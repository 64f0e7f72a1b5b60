import { afterEach, describe, expect, it, vi } from 'vitest';
import { startTestApp, type TestApp, type TestAppOptions } from '../../support/app.ts';
import { testStorage } from '../../support/database.ts';
import { createLipsyncOperations, shortIntervals } from '../../support/lipsync-app.ts';
import { askForData, createLipsync, longWait, requestLipsync } from '../../support/lipsyncs.ts';
import { openReceiver, verify } from './webhook-receiver.ts';
import { makeDue } from './webhook-service.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(options: TestAppOptions = {}): Promise<TestApp> {
  const env = { OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1', ...options.env };
  const app = await startTestApp({ intervals: shortIntervals, ...options, env });
  closers.push(app.stop);
  return app;
}

async function receive(...options: Parameters<typeof openReceiver>) {
  const receiver = await openReceiver(...options);
  closers.push(receiver.close);
  return receiver;
}

const create = (app: TestApp, callbackUrl: string, text?: string) =>
  createLipsync(app, {
    ...(text === undefined ? {} : { text }),
    reference: 'order 7',
    callbackUrl,
  });

type Delivery = { id: string; type: string; status: string; attempts: number };

async function readDeliveries(app: TestApp, id: string): Promise<Delivery[]> {
  type Data = { lipsync: { webhookDeliveries: Delivery[] } };
  const query =
    'query ($id: ID!) { lipsync(id: $id) { webhookDeliveries { id type status attempts } } }';
  return (await askForData<Data>(app, query, { id })).lipsync.webhookDeliveries;
}

const rotate =
  'mutation { rotateWebhookSecret { ... on RotateWebhookSecretSuccess { secret key { hint } } } }';
describe('works', () => {
  it('sends a signed webhook when a lip-sync completes, is moderated or is cancelled', async () => {
    const app = await start();
    const receiver = await receive();
    const { rotateWebhookSecret } = await askForData<{ rotateWebhookSecret: { secret: string } }>(
      app,
      rotate,
    );
    const { id } = await create(app, receiver.url);
    await receiver.until(1);
    const [request] = receiver.received;
    expect(request && verify(rotateWebhookSecret.secret, request)).toMatchObject({
      type: 'lipsync.completed',
      data: {
        id,
        reference: 'order 7',
        status: 'COMPLETED',
        result: { url: expect.stringMatching(/^http/) },
        failure: null,
      },
    });
    await vi.waitFor(async () => {
      expect(await readDeliveries(app, id)).toEqual([
        {
          id: request?.headers['webhook-id'],
          type: 'LIPSYNC_COMPLETED',
          status: 'DELIVERED',
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
    await createLipsyncOperations(app).cancel(stopped.id);
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
    const { id } = await create(first, `http://127.0.0.1:${port}/hook`);
    await vi.waitFor(async () => {
      expect((await readDeliveries(first, id))[0]?.attempts).toBe(1);
    }, longWait);
    const [row] = await first.app.db.query('select id from webhook_deliveries');
    await makeDue(first.app.db, String(row?.id));
    await first.app.close();
    const second = await start({
      storage,
      upstream: { baseUrl: first.sandbox.baseUrl, token: first.sandbox.token },
    });
    await vi.waitFor(async () => {
      expect((await readDeliveries(second, id))[0]?.attempts).toBe(2);
    }, longWait);
  });
});

describe('refuses', () => {
  it('a callbackUrl outside the public internet, before the lip-sync is created', async () => {
    const app = await start({ env: { OUTBOUND_ALLOWED_NETWORKS: '10.1.0.0/16' } });
    for (const url of ['http://127.0.0.1/', 'http://localhost:3000/', 'http://169.254.169.254/']) {
      expect(await requestLipsync(app, { callbackUrl: url })).toEqual({
        __typename: 'InvalidInputError',
        code: 'INVALID_INPUT',
        message: expect.any(String),
        retryable: false,
        retryAfterSeconds: null,
        issues: [
          {
            path: ['input', 'callbackUrl'],
            message: 'callbackUrl must point to a server on the public internet.',
            code: 'NOT_ALLOWED',
          },
        ],
      });
    }
    const other = await requestLipsync(app, { callbackUrl: 'ftp://example.com/' });
    expect(other.issues?.[0]?.path).toEqual(['input', 'callbackUrl']);
  });
});
