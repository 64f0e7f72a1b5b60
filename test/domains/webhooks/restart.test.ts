import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { postgresUrl } from '../../support/database.ts';
import { openReceiver, verify } from './webhook-receiver.ts';
import {
  isFinished,
  makeDue,
  secrets,
  startWebhooks,
  type TestWebhooks,
} from './webhook-service.ts';

let service: TestWebhooks;
beforeEach(async () => {
  service = await startWebhooks();
});
afterEach(() => service.close());

describe('works after a restart', () => {
  it('repeats an attempt that the stop aborted, with the same webhook-id', async () => {
    const receiver = await openReceiver((response, n) => {
      if (n > 1) response.writeHead(200).end();
    });
    const change = await service.changeLipsync(receiver.url);
    await receiver.until(1);
    await service.stop();
    await service.restart();
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      state: 'DELIVERED',
      attempts: 2,
    });
    const [first, second] = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(first).toBe(second);
    receiver.close();
  });

  it('makes an attempt that was planned before the restart', async () => {
    const receiver = await openReceiver(
      (response, n) => void response.writeHead(n === 1 ? 503 : 200).end(),
    );
    await service.stop();
    await service.restart({ delaysMs: [60_000] });
    const change = await service.changeLipsync(receiver.url);
    const { id } = await service.waitForDelivery(
      change,
      ({ nextAttemptAt, attempts }) => attempts === 1 && nextAttemptAt !== null,
    );
    await service.stop();
    await service.restart();
    await makeDue(service.db, id);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      state: 'DELIVERED',
      attempts: 2,
    });
    receiver.close();
  });
});

describe.skipIf(postgresUrl)('works after a crash on the embedded database', () => {
  it('repeats an attempt that was in progress, without waiting for its claim to expire', async () => {
    const receiver = await openReceiver((response, n) => {
      if (n > 1) response.writeHead(200).end();
    });
    const change = await service.changeLipsync(receiver.url);
    await receiver.until(1);
    await service.stop();
    await service.restart({}, async (db) => {
      await db.query(
        "update webhook_deliveries set claimed_until = now() + interval '1 hour', next_attempt_at = null",
      );
    });
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      state: 'DELIVERED',
      attempts: 2,
    });
    receiver.close();
  });
});

describe('works after CALLBACK_SECRET changed', () => {
  it('signs with the same secrets after a rotation, also once the old value is removed', async () => {
    const receiver = await openReceiver();
    const { secret } = await service.webhooks.rotateSecret('key:ann');
    const deliver = async () => {
      const delivery = await service.waitForDelivery(
        await service.changeLipsync(receiver.url),
        isFinished,
      );
      expect(delivery.state).toBe('DELIVERED');
      const request = receiver.received.at(-1);
      if (request === undefined) throw new Error('no webhook arrived');
      return verify(secret, request);
    };
    await service.stop();
    await service.restart({ secrets: ['a third secret, long enough too', ...secrets] });
    await deliver();
    await service.stop();
    await service.restart({ secrets: ['a third secret, long enough too'] });
    await deliver();
    receiver.close();
  });

  it('fails with SECRET_UNREADABLE and sends nothing if the old value was removed too early', async () => {
    const receiver = await openReceiver();
    await service.webhooks.rotateSecret('key:ann');
    await service.stop();
    await service.restart({ secrets: ['an unrelated, different secret'], delaysMs: [] });
    const change = await service.changeLipsync(receiver.url);
    const failed = await service.waitForDelivery(change, isFinished);
    expect(failed).toMatchObject({ lastProblem: 'SECRET_UNREADABLE', lastStatus: null });
    expect(receiver.received).toEqual([]);
    const { secret } = await service.webhooks.rotateSecret('key:ann');
    await service.webhooks.redeliver('key:ann', failed.id);
    await receiver.until(1);
    const [request] = receiver.received;
    if (request !== undefined) verify(secret, request);
    receiver.close();
  });
});
