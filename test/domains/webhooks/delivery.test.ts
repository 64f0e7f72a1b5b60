import type { LookupAddress } from 'node:dns';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { encodeId } from '../../../src/graphql/ids.ts';
import { openReceiver, type Receiver, verify } from './receiver.ts';
import { isEnded, openStage, type Stage } from './stage.ts';

let stage: Stage;
const receivers: Receiver[] = [];

const receive: typeof openReceiver = async (...options) => {
  const receiver = await openReceiver(...options);
  receivers.push(receiver);
  return receiver;
};

beforeAll(async () => {
  stage = await openStage();
});
afterEach(() => {
  for (const receiver of receivers.splice(0)) receiver.close();
});
afterAll(() => stage.close());

describe('works', () => {
  it('tells a finished lip-sync, signed so that a receiver can verify it', async () => {
    const { secret } = await stage.webhooks.rotateSecret('key:ann');
    const receiver = await receive();
    const told = await stage.tell(receiver.url, {
      row: {
        reference: 'order 7',
        result_video: JSON.stringify({ url: 'https://v.example/1.mp4', durationSeconds: 4.5 }),
      },
    });
    const delivery = await stage.settled(told, isEnded);
    expect(delivery).toMatchObject({
      state: 'DELIVERED',
      attempts: 1,
      lastStatus: 204,
      lastProblem: null,
      nextAttemptAt: null,
    });
    const [request] = receiver.received;
    if (request === undefined) throw new Error('nothing came');
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
        id: encodeId('Lipsync', told.id),
        reference: 'order 7',
        status: 'COMPLETED',
        sequence: 4,
        result: { url: 'https://v.example/1.mp4', durationSeconds: 4.5 },
        failure: null,
      },
    });
  });

  it.each(['FAILED', 'MODERATED', 'CANCELLED', 'EXPIRED'])('tells %s', async (status) => {
    const receiver = await receive();
    const failure = { code: 'GENERATION_FAILED', message: 'No.', retryable: false };
    const isFailure = status === 'FAILED';
    const row = isFailure ? { failure: { ...failure, retryAfterSeconds: null } } : {};
    await stage.settled(await stage.tell(receiver.url, { status, row }), isEnded);
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({
      type: `lipsync.${status.toLowerCase()}`,
      data: { status, result: null, failure: isFailure ? failure : null },
    });
  });

  it('tries again under the same id until the receiver takes it', async () => {
    const receiver = await receive(
      (response, n) => void response.writeHead(n < 3 ? 500 : 200).end('x'.repeat(5_000)),
    );
    const { secret } = await stage.webhooks.rotateSecret('key:ann');
    const told = await stage.tell(receiver.url);
    expect(await stage.settled(told, isEnded)).toMatchObject({ state: 'DELIVERED', attempts: 3 });
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    for (const request of receiver.received) verify(secret, request);
  });

  it('sends a delivery again when it is asked to, with all its attempts', async () => {
    let status = 500;
    const receiver = await receive((response) => void response.writeHead(status).end());
    const told = await stage.tell(receiver.url);
    const failed = await stage.settled(told, isEnded);
    expect(failed).toMatchObject({ state: 'FAILED', attempts: 4, lastProblem: 'ERROR_STATUS' });
    await stage.webhooks.redeliver('key:ann', failed.id);
    expect(await stage.settled(told, isEnded)).toMatchObject({ state: 'FAILED', attempts: 8 });
    status = 202;
    expect(await stage.webhooks.redeliver('key:ann', failed.id)).toMatchObject({
      state: 'PENDING',
    });
    expect(await stage.settled(told, isEnded)).toMatchObject({
      state: 'DELIVERED',
      attempts: 9,
      lastStatus: 202,
    });
    await stage.webhooks.redeliver('key:ann', failed.id);
    await receiver.until(10);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('tells an event once, however often it is queued, and runs its job', async () => {
    const receiver = await receive();
    const told = await stage.tell(receiver.url);
    await stage.db.transaction((tx) => stage.webhooks.enqueue(tx, told));
    const { id } = await stage.settled(told, isEnded);
    await stage.jobs.send('deliver-webhook', { deliveryId: id });
    const last = await receive();
    await stage.settled(await stage.tell(last.url), isEnded);
    expect(receiver.received).toHaveLength(1);
  });

  it('shares the deliveries of several instances: each is sent once', async () => {
    const leave = await stage.join();
    const receiver = await receive();
    const all = await Promise.all(
      Array.from({ length: 12 }, (_, n) => stage.tell(receiver.url, { owner: `key:${n % 4}` })),
    );
    for (const told of all) await stage.settled(told, isEnded);
    await leave();
    expect(receiver.received).toHaveLength(12);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(12);
  });

  it('makes an attempt once, also where its job runs twice', async () => {
    const leave = await stage.join();
    let release = () => {};
    const receiver = await receive((response) => {
      release = () => void response.writeHead(200).end();
    });
    const told = await stage.tell(receiver.url);
    await receiver.until(1);
    const { jobId } = (await stage.find(told.owner, told.id)) ?? { jobId: '' };
    await stage.db.query("update pgboss.job set state = 'created' where id = $1", [jobId]);
    await vi.waitFor(() => expect(stage.lines.join()).toContain('Another process is making'), {
      timeout: 10_000,
    });
    release();
    expect(await stage.settled(told, isEnded)).toMatchObject({ state: 'DELIVERED', attempts: 1 });
    expect(receiver.received).toHaveLength(1);
    await leave();
  });
});

describe('is fair', () => {
  it('an owner whose receivers hang does not hold up the others', async () => {
    const held: (() => void)[] = [];
    const hanging = await receive((response) => {
      held.push(() => void response.writeHead(200).end());
    });
    const stuck = await Promise.all(
      Array.from({ length: 6 }, () => stage.tell(hanging.url, { owner: 'key:stuck' })),
    );
    await hanging.until(1);
    const receiver = await receive();
    for (const owner of ['key:ann', 'key:bob', 'key:ann']) {
      await stage.settled(await stage.tell(receiver.url, { owner }), isEnded);
    }
    expect(hanging.received).toHaveLength(1);
    while (hanging.received.length < 6 || held.length > 0) {
      held.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const told of stuck) await stage.settled(told, isEnded);
  });
});

describe('tells nobody', () => {
  it('where there is no address, no end, or no commit', async () => {
    const countJobs = async () =>
      (await stage.db.query("select 1 from pgboss.job where name = 'deliver-webhook'")).length;
    const before = await countJobs();
    const receiver = await receive();
    for (const told of [
      await stage.tell(null),
      await stage.tell(receiver.url, { status: 'GENERATING' }),
    ]) {
      expect(await stage.find(told.owner, told.id)).toBeUndefined();
    }
    const told = await stage.tell(null);
    const lost = stage.db.transaction(async (tx) => {
      await stage.webhooks.enqueue(tx, { ...told, callbackUrl: receiver.url });
      throw new Error('rolled back');
    });
    await expect(lost).rejects.toThrow('rolled back');
    expect(await stage.find(told.owner, told.id)).toBeUndefined();
    expect(await countJobs()).toBe(before);
    expect(receiver.received).toEqual([]);
  });

  it('once the lip-sync is erased', async () => {
    const receiver = await receive((response) => void response.writeHead(500).end());
    const told = await stage.tell(receiver.url);
    await stage.settled(told, isEnded);
    await stage.db.query('delete from lipsyncs where id = $1', [told.id]);
    expect(await stage.find(told.owner, told.id)).toBeUndefined();
  });
});

describe('says why it failed', () => {
  const failures: [string, Parameters<typeof openReceiver>, object][] = [
    [
      'a redirect, which is not followed',
      [(response) => void response.writeHead(302, { location: '/elsewhere' }).end()],
      { lastStatus: 302, lastProblem: 'REDIRECTED', attempts: 4 },
    ],
    [
      'a redirect that would repeat the POST',
      [(response) => void response.writeHead(307, { location: '/elsewhere' }).end()],
      { lastStatus: 307, lastProblem: 'REDIRECTED', attempts: 4 },
    ],
    [
      '410, at once',
      [(response) => void response.writeHead(410).end()],
      { lastStatus: 410, lastProblem: 'GONE', attempts: 1 },
    ],
    [
      'another status',
      [(response) => void response.writeHead(404).end('secret page')],
      { lastStatus: 404, lastProblem: 'ERROR_STATUS', attempts: 4 },
    ],
    [
      'a connection that is cut',
      [(response) => void response.destroy()],
      { lastStatus: null, lastProblem: 'CONNECTION_FAILED', attempts: 4 },
    ],
    [
      'a certificate that nobody trusts',
      [undefined, { isTls: true }],
      { lastStatus: null, lastProblem: 'TLS_FAILED', attempts: 4 },
    ],
  ];

  it.each(failures)('%s', async (_, options, expected) => {
    const receiver = await receive(...options);
    const told = await stage.tell(receiver.url);
    expect(await stage.settled(told, isEnded)).toMatchObject({ state: 'FAILED', ...expected });
    expect(receiver.received.every(({ path }) => path === '/hook?key=1')).toBe(true);
  });

  it('nobody who listens', async () => {
    const receiver = await receive();
    receiver.close();
    const told = await stage.tell(receiver.url);
    expect(await stage.settled(told, isEnded)).toMatchObject({
      lastProblem: 'CONNECTION_FAILED',
    });
  });

  it('a receiver that hangs before its answer, but not in it', async () => {
    const impatient = await openStage({ timeoutMs: 400, delaysMs: [] });
    const silent = await receive(() => undefined);
    const endless = await receive((response) => void response.writeHead(200).write('…'));
    const first = await impatient.tell(silent.url);
    expect(await impatient.settled(first, isEnded)).toMatchObject({ lastProblem: 'TIMEOUT' });
    const second = await impatient.tell(endless.url);
    expect(await impatient.settled(second, isEnded)).toMatchObject({ state: 'DELIVERED' });
    await impatient.close();
  });
});

describe('waits', () => {
  let slow: Stage;
  beforeAll(async () => {
    slow = await openStage({ delaysMs: [60_000, 3_600_000] });
  });
  afterAll(() => slow.close());

  it('longer before each attempt, and not at all when asked to send it again', async () => {
    const receiver = await receive(
      (response, n) => void response.writeHead(n < 3 ? 500 : 200).end(),
    );
    const told = await slow.tell(receiver.url);
    const first = await slow.settled(
      told,
      ({ nextAttemptAt, attempts }) => attempts === 1 && nextAttemptAt !== null,
    );
    expect(first.state).toBe('PENDING');
    const waits = (first.nextAttemptAt?.getTime() ?? 0) - Date.now();
    expect(waits).toBeGreaterThan(50_000);
    expect(waits).toBeLessThanOrEqual(66_000);
    const [job] = await slow.db.query<{ seconds: number }>(
      `select extract(epoch from start_after - now())::float8 as seconds from pgboss.job where id = $1`,
      [first.jobId],
    );
    expect(job?.seconds).toBeGreaterThan(50);
    await slow.webhooks.redeliver('key:ann', first.id);
    await receiver.until(2);
    const second = await slow.settled(
      told,
      ({ attempts, claimedUntil }) => attempts === 2 && claimedUntil === null,
    );
    expect(second).toMatchObject({ state: 'PENDING', retries: 1 });
    await slow.webhooks.redeliver('key:ann', first.id);
    expect(await slow.settled(told, isEnded)).toMatchObject({ state: 'DELIVERED', attempts: 3 });
  });
});

describe('keeps out', () => {
  it('private addresses, by number and by name', async () => {
    const closed = await openStage({ allowedNetworks: [], delaysMs: [] });
    const receiver = await receive(undefined, { host: '::' });
    const urls = ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '2130706433', 'localhost', '0'].map(
      (host) => `http://${host}:${receiver.port}/`,
    );
    for (const url of urls) {
      expect(closed.webhooks.checkUrl(url)).not.toBeNull();
      expect(await closed.settled(await closed.tell(url), isEnded)).toMatchObject({
        state: 'FAILED',
        lastStatus: null,
        lastProblem: 'NO_PUBLIC_ADDRESS',
      });
    }
    await closed.close();
    expect(receiver.received).toEqual([]);
  });

  it('a name that leads elsewhere when it is asked the second time', async () => {
    const answers: LookupAddress[][] = [
      [{ address: '127.0.0.2', family: 4 }],
      [{ address: '127.0.0.1', family: 4 }],
      [{ address: '::ffff:127.0.0.1', family: 6 }],
      [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ],
    ];
    let asked = 0;
    const rebinding = await openStage({
      allowedNetworks: ['127.0.0.2'],
      resolve: (_name, _options, done) => done(null, answers[asked++] ?? []),
    });
    const outside = await receive(
      (response, n) => void response.writeHead(n < 2 ? 500 : 200).end(),
      {
        host: '127.0.0.2',
      },
    );
    // Where the name leads when it is asked again: the same port, further in.
    const inside = await receive(undefined, { host: '127.0.0.1', port: outside.port });
    const told = await rebinding.tell(`http://rebind.example:${outside.port}/`);
    const delivery = await rebinding.settled(told, isEnded);
    expect(delivery).toMatchObject({ state: 'DELIVERED', attempts: 4 });
    await rebinding.close();
    expect(outside.received).toHaveLength(2);
    expect(inside.received).toEqual([]);
  });

  it('a name without an address, in the same words as one that leads inside', async () => {
    const receiver = await stage.tell('http://nowhere.invalid/');
    expect(await stage.settled(receiver, isEnded)).toMatchObject({
      lastProblem: 'NO_PUBLIC_ADDRESS',
    });
  });

  it("another owner's deliveries", async () => {
    const receiver = await receive();
    const told = await stage.tell(receiver.url);
    const { id } = await stage.settled(told, isEnded);
    expect(await stage.webhooks.findByKeys('key:bob', [id])).toEqual([null]);
    expect(await stage.webhooks.listOf('key:bob', [told.id])).toEqual([[]]);
    await expect(stage.webhooks.redeliver('key:bob', id)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(stage.webhooks.redeliver('key:ann', 'rubbish')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(receiver.received).toHaveLength(1);
  });
});
