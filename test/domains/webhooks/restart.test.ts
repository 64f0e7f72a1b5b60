import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { postgresUrl } from '../../support/database.ts';
import { openReceiver, verify } from './receiver.ts';
import { isEnded, openStage, type Stage, secrets } from './stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.close());

describe('survives a restart', () => {
  it('an attempt that a stop cut off is made again, under the same id', async () => {
    const receiver = await openReceiver((response, n) => {
      if (n > 1) response.writeHead(200).end();
    });
    const told = await stage.tell(receiver.url);
    await receiver.until(1);
    await stage.end();
    await stage.restart();
    expect(await stage.settled(told, isEnded)).toMatchObject({ state: 'DELIVERED', attempts: 2 });
    const [first, second] = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(first).toBe(second);
    receiver.close();
  });

  it('an attempt that waits for its time', async () => {
    const receiver = await openReceiver(
      (response, n) => void response.writeHead(n === 1 ? 503 : 200).end(),
    );
    await stage.end();
    await stage.restart({ delaysMs: [1_000] });
    const told = await stage.tell(receiver.url);
    await stage.settled(
      told,
      ({ nextAttemptAt, attempts }) => attempts === 1 && nextAttemptAt !== null,
    );
    await stage.end();
    await stage.restart();
    expect(await stage.settled(told, isEnded)).toMatchObject({ state: 'DELIVERED', attempts: 2 });
    receiver.close();
  });
});

describe.skipIf(postgresUrl)('survives a crash of the embedded database', () => {
  it('an attempt in the middle of which the process died is made again at once', async () => {
    const receiver = await openReceiver((response, n) => {
      if (n > 1) response.writeHead(200).end();
    });
    const told = await stage.tell(receiver.url);
    await receiver.until(1);
    await stage.end();
    await stage.restart({}, async (db) => {
      await db.query("update webhook_deliveries set claimed_until = now() + interval '1 hour'");
      await db.query("update pgboss.job set state = 'active', started_on = now()");
    });
    expect(await stage.settled(told, isEnded)).toMatchObject({ state: 'DELIVERED', attempts: 2 });
    receiver.close();
  });
});

describe('keeps the secrets of owners', () => {
  it('when CALLBACK_SECRET is rotated, also once the older one is dropped', async () => {
    const receiver = await openReceiver();
    const { secret } = await stage.webhooks.rotateSecret('key:ann');
    const deliver = async () => {
      const delivery = await stage.settled(await stage.tell(receiver.url), isEnded);
      expect(delivery.state).toBe('DELIVERED');
      const request = receiver.received.at(-1);
      if (request === undefined) throw new Error('nothing came');
      return verify(secret, request);
    };
    await stage.end();
    await stage.restart({ secrets: ['a third secret, long enough too', ...secrets] });
    await deliver();
    await stage.end();
    await stage.restart({ secrets: ['a third secret, long enough too'] });
    await deliver();
    receiver.close();
  });

  it('or says that it can not sign, and sends nothing unsigned', async () => {
    const receiver = await openReceiver();
    await stage.webhooks.rotateSecret('key:ann');
    await stage.end();
    await stage.restart({ secrets: ['a secret that is quite another'], delaysMs: [] });
    const told = await stage.tell(receiver.url);
    const failed = await stage.settled(told, isEnded);
    expect(failed).toMatchObject({ lastProblem: 'SECRET_UNREADABLE', lastStatus: null });
    expect(receiver.received).toEqual([]);
    const { secret } = await stage.webhooks.rotateSecret('key:ann');
    await stage.webhooks.redeliver('key:ann', failed.id);
    await receiver.until(1);
    const [request] = receiver.received;
    if (request !== undefined) verify(secret, request);
    receiver.close();
  });
});
