import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  idOf,
  type LipsyncApp,
  shortIntervals,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';
import { openReceiver, type Receiver } from './webhook-receiver.ts';
import { isFinished, startWebhooks } from './webhook-service.ts';

let app: LipsyncApp;
let receiver: Receiver;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    intervals: shortIntervals,
    env: { OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1' },
    // Jobs end only when the test ends them, so that every status is observed.
    sandbox: {
      generatingMs: 3_600_000,
      accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }],
    },
  });
  receiver = await openReceiver();
  [video = ''] = await app.listVideoIds();
});
afterEach(() => {
  receiver.received.length = 0;
});
afterAll(async () => {
  receiver.close();
  await app.stop();
});

const create = (more: object) =>
  app.create({ video: { videoId: video }, callbackUrl: receiver.url, text: 'Hello.', ...more });

/** Runs a lip-sync through every status. @returns its webhooks in the order of their sequence, and its event log */
async function runToEnd(more: object, count: number) {
  const id = idOf(await create(more));
  for await (const { data } of app.subscribe(id)) {
    if (data?.lipsyncProgress.status === 'GENERATING') await app.finishJobs();
  }
  await receiver.until(count);
  const sent = receiver.received.map(({ body }) => JSON.parse(body) as WebhookBody);
  return {
    sent: sent.toSorted((one, other) => one.data.sequence - other.data.sequence),
    log: await app.readEvents(id),
  };
}

type WebhookBody = {
  type: string;
  data: { id: string; status: string; sequence: number; result: unknown; failure: unknown };
};

describe('works', () => {
  it('sends a separate webhook for each event in callbackEvents', async () => {
    const all = ['SUBMITTED', 'GENERATING', 'FINISHED'];
    const { sent, log } = await runToEnd({ callbackEvents: all }, 3);
    expect(sent.map(({ type }) => type)).toEqual([
      'lipsync.submitted',
      'lipsync.generating',
      'lipsync.completed',
    ]);
    expect(sent.map(({ data }) => data.status)).toEqual(['SUBMITTED', 'GENERATING', 'COMPLETED']);
    expect(sent.map(({ data }) => data.result !== null)).toEqual([false, false, true]);
    const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(3);
    for (const { data } of sent) {
      expect(log).toContainEqual(
        expect.objectContaining({ sequence: data.sequence, status: data.status }),
      );
    }
  });

  it('sends only the final status if callbackEvents is omitted', async () => {
    const { sent } = await runToEnd({}, 1);
    expect(sent.map(({ type }) => type)).toEqual(['lipsync.completed']);
  });

  it('sends without tracing the traceparent of the mutation, and none if it had none', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const input = {
      ...{ video: { videoId: video }, callbackUrl: receiver.url, text: 'Traced.' },
      callbackEvents: ['SUBMITTED'],
    };
    const traced = await app.create(input, { traceparent, tracestate: 'vendor=state' });
    await receiver.until(1);
    const untraced = await app.create(input);
    await receiver.until(2);
    expect(receiver.received.map(({ headers }) => headers.traceparent)).toEqual([
      traceparent,
      undefined,
    ]);
    expect(receiver.received.map(({ headers }) => headers.tracestate)).toEqual([
      undefined,
      undefined,
    ]);
    for (const each of [traced, untraced]) await app.cancel(idOf(each));
  });

  it('sends no final status if callbackEvents does not contain FINISHED', async () => {
    const { sent, log } = await runToEnd({ callbackEvents: ['SUBMITTED'] }, 1);
    expect(log.at(-1)?.status).toBe('COMPLETED');
    // An owner's webhooks are sent in order: once the next lip-sync's has arrived, a wrong one would have arrived before it.
    await runToEnd({ callbackEvents: ['FINISHED'] }, 2);
    expect(sent.map(({ type }) => type)).toEqual(['lipsync.submitted']);
    const types = receiver.received.map(({ body }) => (JSON.parse(body) as WebhookBody).type);
    expect(types).toEqual(['lipsync.submitted', 'lipsync.completed']);
  });

  it('replays for the same callbackEvents in another order, and reports a conflict for others', async () => {
    const key = { idempotencyKey: 'explicit events' };
    const first = await create({ ...key, callbackEvents: ['FINISHED', 'SUBMITTED'] });
    const again = await create({ ...key, callbackEvents: ['SUBMITTED', 'FINISHED', 'SUBMITTED'] });
    expect(again).toMatchObject({ replayed: true, lipsync: { id: idOf(first) } });
    expect((await create({ ...key, callbackEvents: ['SUBMITTED'] })).__typename).toBe(
      'IdempotencyConflictError',
    );
    const withDefault = { idempotencyKey: 'default events' };
    const id = idOf(await create(withDefault));
    for (const callbackEvents of [['FINISHED'], null]) {
      expect(await create({ ...withDefault, callbackEvents })).toMatchObject({
        replayed: true,
        lipsync: { id },
      });
    }
  });

  it('keeps the fingerprint of the version without callbackEvents for the default', async () => {
    const key = 'earlier version';
    await create({ idempotencyKey: key });
    const [row] = await app.db.query<{ fingerprint: string; source: string }>(
      'select fingerprint, source_video_id as source from lipsyncs where idempotency_key = $1',
      [key],
    );
    // The fields that the first version hashed, in its order. A changed hash would turn retries into conflicts.
    const input = {
      video: { key: row?.source },
      speech: { text: 'Hello.' },
      keepOriginalSound: null,
      offPeak: false,
      reference: null,
      callbackUrl: receiver.url,
      maxJobs: null,
      mayWait: true,
      expiresAt: null,
    };
    const hash = createHash('sha256').update(JSON.stringify(input)).digest('base64url');
    expect(row?.fingerprint).toBe(hash);
  });
});

describe('refuses', () => {
  it('an empty callbackEvents', async () => {
    expect(await create({ callbackEvents: [] })).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [
        {
          path: ['input', 'callbackEvents'],
          message: 'callbackEvents must have at least one event.',
        },
      ],
    });
  });
});

describe('keeps out', () => {
  it('events of a transaction that was rolled back', async () => {
    const own = await openReceiver();
    const service = await startWebhooks();
    const change = await service.changeLipsync(null, {
      status: 'SUBMITTED',
      events: ['SUBMITTED'],
    });
    const rolledBack = service.db.transaction(async (tx) => {
      await service.webhooks.enqueue(tx, { ...change, callbackUrl: own.url });
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    const other = await service.changeLipsync(own.url, {
      status: 'SUBMITTED',
      events: ['SUBMITTED'],
    });
    expect(await service.waitForDelivery(other, isFinished)).toMatchObject({
      eventType: 'lipsync.submitted',
    });
    expect(await service.findDelivery(change.owner, change.id)).toBeUndefined();
    await service.close();
    own.close();
    expect(own.received).toHaveLength(1);
  });
});
