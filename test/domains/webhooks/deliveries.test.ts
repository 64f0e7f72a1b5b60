import type { LookupAddress } from 'node:dns';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeId } from '../../../src/graphql/ids.ts';
import { findFreePort } from '../../support/free-port.ts';
import { openReceiver, type Receiver, verify } from './webhook-receiver.ts';
import { isFinished, startWebhooks, type TestWebhooks } from './webhook-service.ts';

let service: TestWebhooks;
const receivers: Receiver[] = [];

const receive: typeof openReceiver = async (...options) => {
  const receiver = await openReceiver(...options);
  receivers.push(receiver);
  return receiver;
};

beforeAll(async () => {
  service = await startWebhooks();
});
afterEach(() => {
  for (const receiver of receivers.splice(0)) receiver.close();
});
afterAll(() => service.close());

describe('works', () => {
  it('sends a signed webhook for a completed lip-sync', async () => {
    const { secret } = await service.webhooks.rotateSecret('key:ann');
    const receiver = await receive();
    await service.db.query('insert into videos (key, video) values ($1, $2)', [
      'made0000-7',
      { url: 'https://v.example/1.mp4', durationSeconds: 4.5 },
    ]);
    const change = await service.changeLipsync(receiver.url, {
      row: { reference: 'order 7', result_video_id: 'made0000-7' },
    });
    const delivery = await service.waitForDelivery(change, isFinished);
    expect(delivery).toMatchObject({
      state: 'DELIVERED',
      attempts: 1,
      lastStatus: 204,
      lastProblem: null,
      nextAttemptAt: null,
    });
    const [request] = receiver.received;
    if (request === undefined) throw new Error('no webhook arrived');
    expect(request).toMatchObject({
      method: 'POST',
      path: '/hook?key=1',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'lipsync-graphql',
        'webhook-id': encodeId('WebhookDelivery', delivery.id),
      },
    });
    expect(verify(secret, request)).toEqual({
      type: 'lipsync.completed',
      timestamp: '2026-11-23T12:00:00.000Z',
      data: {
        id: encodeId('Lipsync', change.id),
        reference: 'order 7',
        status: 'COMPLETED',
        sequence: 4,
        result: { url: 'https://v.example/1.mp4', durationSeconds: 4.5 },
        failure: null,
      },
    });
  });

  it.each(['FAILED', 'MODERATED', 'CANCELLED', 'EXPIRED'])(
    'sends a webhook for %s',
    async (status) => {
      const receiver = await receive();
      const failure = { code: 'GENERATION_FAILED', message: 'No.', retryable: false };
      const isFailure = status === 'FAILED';
      const row = isFailure ? { failure: { ...failure, retryAfterSeconds: null } } : {};
      await service.waitForDelivery(
        await service.changeLipsync(receiver.url, { status, row }),
        isFinished,
      );
      expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({
        type: `lipsync.${status.toLowerCase()}`,
        data: { status, result: null, failure: isFailure ? failure : null },
      });
    },
  );

  it('retries with the same webhook-id and body until the receiver accepts it', async () => {
    const receiver = await receive(
      (response, n) => void response.writeHead(n < 3 ? 500 : 200).end('x'.repeat(5_000)),
    );
    const { secret } = await service.webhooks.rotateSecret('key:ann');
    const change = await service.changeLipsync(receiver.url);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      state: 'DELIVERED',
      attempts: 3,
    });
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    for (const request of receiver.received) verify(secret, request);
  });

  it('redelivers with all attempts again', async () => {
    let status = 500;
    const receiver = await receive((response) => void response.writeHead(status).end());
    const change = await service.changeLipsync(receiver.url);
    const failed = await service.waitForDelivery(change, isFinished);
    expect(failed).toMatchObject({ state: 'FAILED', attempts: 4, lastProblem: 'ERROR_STATUS' });
    await service.webhooks.redeliver('key:ann', failed.id);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      state: 'FAILED',
      attempts: 8,
    });
    status = 202;
    expect(await service.webhooks.redeliver('key:ann', failed.id)).toMatchObject({
      state: 'PENDING',
    });
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      state: 'DELIVERED',
      attempts: 9,
      lastStatus: 202,
    });
    await service.webhooks.redeliver('key:ann', failed.id);
    await receiver.until(10);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('sends an event once, although it is queued twice', async () => {
    const receiver = await receive();
    const change = await service.changeLipsync(receiver.url);
    await service.db.transaction((tx) => service.webhooks.enqueue(tx, change));
    await service.waitForDelivery(change, isFinished);
    const second = await receive();
    await service.waitForDelivery(await service.changeLipsync(second.url), isFinished);
    expect(receiver.received).toHaveLength(1);
  });

  it('sends each delivery once with several instances', async () => {
    const stopSecond = await service.startSecondInstance();
    const receiver = await receive();
    const all = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        service.changeLipsync(receiver.url, { owner: `key:${n % 4}` }),
      ),
    );
    for (const change of all) await service.waitForDelivery(change, isFinished);
    await stopSecond();
    expect(receiver.received).toHaveLength(12);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(12);
  });

  it('makes an attempt once while it is in progress, also with two instances', async () => {
    const stopSecond = await service.startSecondInstance();
    let release = () => {};
    const receiver = await receive((response) => {
      release = () => void response.writeHead(200).end();
    });
    const change = await service.changeLipsync(receiver.url);
    await receiver.until(1);
    // Both instances search for due deliveries meanwhile.
    const other = await receive();
    for (const owner of ['key:bob', 'key:cat']) {
      const delivered = await service.changeLipsync(other.url, { owner });
      await service.waitForDelivery(delivered, isFinished);
    }
    release();
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      state: 'DELIVERED',
      attempts: 1,
    });
    expect(receiver.received).toHaveLength(1);
    await stopSecond();
  });

  it('ignores the outcome of an attempt whose claim has expired', async () => {
    let release = () => {};
    const receiver = await receive((response, n) => {
      if (n > 1) response.writeHead(200).end();
      else release = () => void response.writeHead(500).end();
    });
    const change = await service.changeLipsync(receiver.url);
    await receiver.until(1);
    await service.db.query(
      "update webhook_deliveries set claimed_until = now() - interval '1 second' where lipsync_id = $1",
      [change.id],
    );
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({ attempts: 2 });
    release();
    const next = await service.changeLipsync(receiver.url);
    await service.waitForDelivery(next, isFinished);
    expect(await service.findDelivery(change.owner, change.id)).toMatchObject({
      state: 'DELIVERED',
      lastStatus: 200,
    });
  });
});

describe('works for several owners', () => {
  it('delivers for other owners while the receivers of one owner hang', async () => {
    const held: (() => void)[] = [];
    const hanging = await receive((response) => {
      held.push(() => void response.writeHead(200).end());
    });
    const stuck = await Promise.all(
      Array.from({ length: 6 }, () => service.changeLipsync(hanging.url, { owner: 'key:stuck' })),
    );
    await hanging.until(1);
    const receiver = await receive();
    for (const owner of ['key:ann', 'key:bob', 'key:ann']) {
      await service.waitForDelivery(
        await service.changeLipsync(receiver.url, { owner }),
        isFinished,
      );
    }
    expect(hanging.received).toHaveLength(1);
    while (hanging.received.length < 6 || held.length > 0) {
      held.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const change of stuck) await service.waitForDelivery(change, isFinished);
  });
});

describe('sends nothing', () => {
  it('without a callbackUrl, before the final status, or if the transaction is rolled back', async () => {
    const countDeliveries = async () =>
      (await service.db.query('select 1 from webhook_deliveries')).length;
    const before = await countDeliveries();
    const receiver = await receive();
    for (const change of [
      await service.changeLipsync(null),
      await service.changeLipsync(receiver.url, { status: 'GENERATING' }),
    ]) {
      expect(await service.findDelivery(change.owner, change.id)).toBeUndefined();
    }
    const change = await service.changeLipsync(null);
    const rolledBack = service.db.transaction(async (tx) => {
      await service.webhooks.enqueue(tx, { ...change, callbackUrl: receiver.url });
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    expect(await service.findDelivery(change.owner, change.id)).toBeUndefined();
    expect(await countDeliveries()).toBe(before);
    expect(receiver.received).toEqual([]);
  });

  it('after the lip-sync was deleted', async () => {
    const receiver = await receive((response) => void response.writeHead(500).end());
    const change = await service.changeLipsync(receiver.url);
    await service.waitForDelivery(change, isFinished);
    await service.db.query('delete from lipsyncs where id = $1', [change.id]);
    expect(await service.findDelivery(change.owner, change.id)).toBeUndefined();
  });
});

describe('reports the problem of the last attempt', () => {
  const failures: [string, Parameters<typeof openReceiver>, object][] = [
    [
      'REDIRECTED for 302, which is not followed',
      [(response) => void response.writeHead(302, { location: '/elsewhere' }).end()],
      { lastStatus: 302, lastProblem: 'REDIRECTED', attempts: 4 },
    ],
    [
      'REDIRECTED for 307, which would repeat the POST',
      [(response) => void response.writeHead(307, { location: '/elsewhere' }).end()],
      { lastStatus: 307, lastProblem: 'REDIRECTED', attempts: 4 },
    ],
    [
      'GONE for 410, after one attempt',
      [(response) => void response.writeHead(410).end()],
      { lastStatus: 410, lastProblem: 'GONE', attempts: 1 },
    ],
    [
      'ERROR_STATUS for 404',
      [(response) => void response.writeHead(404).end('secret page')],
      { lastStatus: 404, lastProblem: 'ERROR_STATUS', attempts: 4 },
    ],
    [
      'CONNECTION_FAILED for a connection that is closed',
      [(response) => void response.destroy()],
      { lastStatus: null, lastProblem: 'CONNECTION_FAILED', attempts: 4 },
    ],
    [
      'TLS_FAILED for a self-signed certificate',
      [undefined, { isTls: true }],
      { lastStatus: null, lastProblem: 'TLS_FAILED', attempts: 4 },
    ],
  ];

  it.each(failures)('%s', async (_, options, expected) => {
    const receiver = await receive(...options);
    const change = await service.changeLipsync(receiver.url);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      state: 'FAILED',
      ...expected,
    });
    expect(receiver.received.every(({ path }) => path === '/hook?key=1')).toBe(true);
  });

  it('CONNECTION_FAILED if no server listens', async () => {
    const receiver = await receive();
    receiver.close();
    const change = await service.changeLipsync(receiver.url);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      lastProblem: 'CONNECTION_FAILED',
    });
  });

  it('TIMEOUT if the status does not arrive in time, but not if only the body does not', async () => {
    const shortTimeout = await startWebhooks({ timeoutMs: 400, delaysMs: [] });
    const silent = await receive(() => undefined);
    const endless = await receive((response) => void response.writeHead(200).write('…'));
    const first = await shortTimeout.changeLipsync(silent.url);
    expect(await shortTimeout.waitForDelivery(first, isFinished)).toMatchObject({
      lastProblem: 'TIMEOUT',
    });
    await shortTimeout.close();
    const longTimeout = await startWebhooks({ timeoutMs: 5_000, delaysMs: [] });
    const second = await longTimeout.changeLipsync(endless.url);
    expect(await longTimeout.waitForDelivery(second, isFinished)).toMatchObject({
      state: 'DELIVERED',
    });
    await longTimeout.close();
  });
});

describe('works with delays', () => {
  let slow: TestWebhooks;
  beforeAll(async () => {
    slow = await startWebhooks({ delaysMs: [60_000, 3_600_000] });
  });
  afterAll(() => slow.close());

  it('waits longer before each attempt, and not for a redelivery', async () => {
    const receiver = await receive(
      (response, n) => void response.writeHead(n < 3 ? 500 : 200).end(),
    );
    const change = await slow.changeLipsync(receiver.url);
    const first = await slow.waitForDelivery(
      change,
      ({ nextAttemptAt, attempts }) => attempts === 1 && nextAttemptAt !== null,
    );
    expect(first.state).toBe('PENDING');
    const waits = (first.nextAttemptAt?.getTime() ?? 0) - Date.now();
    expect(waits).toBeGreaterThan(50_000);
    expect(waits).toBeLessThanOrEqual(66_000);
    await slow.webhooks.redeliver('key:ann', first.id);
    await receiver.until(2);
    const second = await slow.waitForDelivery(
      change,
      ({ attempts, claimedUntil }) => attempts === 2 && claimedUntil === null,
    );
    expect(second).toMatchObject({ state: 'PENDING', retries: 1 });
    await slow.webhooks.redeliver('key:ann', first.id);
    expect(await slow.waitForDelivery(change, isFinished)).toMatchObject({
      state: 'DELIVERED',
      attempts: 3,
    });
  });
});

describe('keeps out', () => {
  it('private addresses, as IP address and as name', async () => {
    const closed = await startWebhooks({ allowedNetworks: [], delaysMs: [] });
    const receiver = await receive(undefined, { host: '::' });
    const urls = ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '2130706433', 'localhost', '0'].map(
      (host) => `http://${host}:${receiver.port}/`,
    );
    for (const url of urls) {
      expect(closed.webhooks.checkUrl(url)).not.toBeNull();
      expect(
        await closed.waitForDelivery(await closed.changeLipsync(url), isFinished),
      ).toMatchObject({
        state: 'FAILED',
        lastStatus: null,
        lastProblem: 'NO_PUBLIC_ADDRESS',
      });
    }
    await closed.close();
    expect(receiver.received).toEqual([]);
  });

  it('a name that resolves to a private address on a later lookup (DNS rebinding)', async () => {
    const answers: LookupAddress[][] = [
      [{ address: '127.0.0.2', family: 4 }],
      [{ address: '127.0.0.1', family: 4 }],
      [{ address: '::ffff:127.0.0.1', family: 6 }],
      [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ],
    ];
    let lookups = 0;
    const rebinding = await startWebhooks({
      allowedNetworks: ['127.0.0.2'],
      resolve: async () => answers[lookups++] ?? [],
    });
    const port = await findFreePort();
    const outside = await receive(
      (response, n) => void response.writeHead(n < 2 ? 500 : 200).end(),
      { host: '127.0.0.2', port },
    );
    // The later lookups resolve to this server: the same port on a blocked address.
    const inside = await receive(undefined, { host: '127.0.0.1', port });
    const change = await rebinding.changeLipsync(`http://rebind.example:${port}/`);
    const delivery = await rebinding.waitForDelivery(change, isFinished);
    expect(delivery).toMatchObject({ state: 'DELIVERED', attempts: 4 });
    await rebinding.close();
    expect(outside.received).toHaveLength(2);
    expect(inside.received).toEqual([]);
  });

  it('the difference between an unknown name and one that resolves to a private address', async () => {
    const nowhere = await startWebhooks({
      resolve: () => Promise.reject(Object.assign(new Error('Unknown'), { code: 'ENOTFOUND' })),
    });
    const change = await nowhere.changeLipsync('http://nowhere.invalid/');
    expect(await nowhere.waitForDelivery(change, isFinished)).toMatchObject({
      lastProblem: 'NO_PUBLIC_ADDRESS',
    });
    await nowhere.close();
  });

  it("another owner's deliveries", async () => {
    const receiver = await receive();
    const change = await service.changeLipsync(receiver.url);
    const { id } = await service.waitForDelivery(change, isFinished);
    expect(await service.webhooks.findByKeys('key:bob', [id])).toEqual([null]);
    expect(await service.webhooks.listByLipsyncs([{ id: change.id, owner: 'key:bob' }])).toEqual([
      [],
    ]);
    await expect(service.webhooks.redeliver('key:bob', id)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(service.webhooks.redeliver('key:ann', 'rubbish')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(receiver.received).toHaveLength(1);
  });
});
