import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { openReceiver, type Receiver } from './receiver.ts';
import { isEnded, openStage } from './stage.ts';

let app: TestApp;
let receiver: Receiver;
let video: string;
beforeAll(async () => {
  app = await startTestApp({
    env: { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1' },
    // A job ends when a test ends it, so that every status is seen.
    sandbox: {
      generatingMs: 3_600_000,
      accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }],
    },
  });
  receiver = await openReceiver();
  const { data } = await app.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 1, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  video = data?.videos.nodes[0]?.id ?? '';
});
afterEach(() => {
  receiver.received.length = 0;
});
afterAll(async () => {
  receiver.close();
  await app.stop();
});

type Created = {
  __typename: string;
  replayed?: boolean;
  lipsync?: { id: string };
  issues?: { path: string[]; message: string }[];
};

async function create(more: object): Promise<Created> {
  const { data, errors } = await app.ask<{ createLipsync: Created }>(
    `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { __typename
       ... on CreateLipsyncSuccess { replayed lipsync { id } }
       ... on InvalidInputError { issues { path message } } } }`,
    {
      input: {
        video: { id: video },
        speech: { text: { text: 'Hello.' } },
        callbackUrl: receiver.url,
        ...more,
      },
    },
  );
  expect(errors).toBeUndefined();
  return data?.createLipsync ?? { __typename: 'nothing' };
}

/** Lets it go through every status, and gives what was told, by its sequence. */
async function runToItsEnd(more: object, count: number) {
  const { lipsync } = await create(more);
  for await (const { data } of app.watchWs<{ lipsyncProgress: { status: string } }>(
    'subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { status } } }',
    { id: lipsync?.id },
  )) {
    if (data?.lipsyncProgress.status === 'GENERATING') await app.finishJobs();
  }
  await receiver.until(count);
  const { data } = await app.ask<{ lipsync: { events: { nodes: Logged[] } } }>(
    'query ($id: ID!) { lipsync(id: $id) { events(first: 100) { nodes { sequence status } } } }',
    { id: lipsync?.id },
  );
  const told = receiver.received.map(({ body }) => JSON.parse(body) as Letter);
  return {
    told: told.toSorted((one, other) => one.data.sequence - other.data.sequence),
    log: data?.lipsync.events.nodes ?? [],
  };
}

type Logged = { sequence: number; status: string };
type Letter = {
  type: string;
  data: { id: string; status: string; sequence: number; result: unknown; failure: unknown };
};

describe('works', () => {
  it('tells every event that was asked for, each by a webhook of its own', async () => {
    const all = ['SUBMITTED', 'GENERATING', 'FINISHED'];
    const { told, log } = await runToItsEnd({ callbackEvents: all }, 3);
    expect(told.map(({ type }) => type)).toEqual([
      'lipsync.submitted',
      'lipsync.generating',
      'lipsync.completed',
    ]);
    expect(told.map(({ data }) => data.status)).toEqual(['SUBMITTED', 'GENERATING', 'COMPLETED']);
    expect(told.map(({ data }) => data.result !== null)).toEqual([false, false, true]);
    const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(3);
    for (const { data } of told) {
      expect(log).toContainEqual({ sequence: data.sequence, status: data.status });
    }
  });

  it('tells the end alone where nothing was chosen', async () => {
    const { told } = await runToItsEnd({}, 1);
    expect(told.map(({ type }) => type)).toEqual(['lipsync.completed']);
  });

  it('does not tell the end to who only asked for the start', async () => {
    const { told, log } = await runToItsEnd({ callbackEvents: ['SUBMITTED'] }, 1);
    expect(log.at(-1)?.status).toBe('COMPLETED');
    // One that did ask ends later, and its owner's webhooks are told in turn.
    await runToItsEnd({ callbackEvents: ['FINISHED'] }, 2);
    expect(told.map(({ type }) => type)).toEqual(['lipsync.submitted']);
    const types = receiver.received.map(({ body }) => (JSON.parse(body) as Letter).type);
    expect(types).toEqual(['lipsync.submitted', 'lipsync.completed']);
  });

  it('takes the same choice in another spelling for the same input, and another for another', async () => {
    const key = { idempotencyKey: 'a choice' };
    const first = await create({ ...key, callbackEvents: ['FINISHED', 'SUBMITTED'] });
    const again = await create({ ...key, callbackEvents: ['SUBMITTED', 'FINISHED', 'SUBMITTED'] });
    expect(again).toMatchObject({ replayed: true, lipsync: first.lipsync });
    expect((await create({ ...key, callbackEvents: ['SUBMITTED'] })).__typename).toBe(
      'IdempotencyConflictError',
    );
    const usual = { idempotencyKey: 'no choice' };
    const { lipsync } = await create(usual);
    for (const callbackEvents of [['FINISHED'], null]) {
      expect(await create({ ...usual, callbackEvents })).toMatchObject({ replayed: true, lipsync });
    }
  });

  it('forgot no idempotencyKey from before there was a choice', async () => {
    const key = 'of an earlier version';
    await create({ idempotencyKey: key });
    const [row] = await app.app.db.query<{ fingerprint: string; source: string }>(
      'select fingerprint, source_video_id as source from lipsyncs where idempotency_key = $1',
      [key],
    );
    // What the first version hashed, in its order.
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
  it('to tell nothing at all', async () => {
    expect(await create({ callbackEvents: [] })).toEqual({
      __typename: 'InvalidInputError',
      issues: [
        { path: ['input', 'callbackEvents'], message: 'callbackEvents must name an event.' },
      ],
    });
  });
});

describe('keeps out', () => {
  it('what is rolled back, whichever event it is', async () => {
    const own = await openReceiver();
    const stage = await openStage();
    const told = await stage.tell(null, { status: 'SUBMITTED', events: ['SUBMITTED'] });
    const lost = stage.db.transaction(async (tx) => {
      await stage.webhooks.enqueue(tx, { ...told, callbackUrl: own.url });
      throw new Error('rolled back');
    });
    await expect(lost).rejects.toThrow('rolled back');
    const other = await stage.tell(own.url, { status: 'SUBMITTED', events: ['SUBMITTED'] });
    expect(await stage.settled(other, isEnded)).toMatchObject({ eventType: 'lipsync.submitted' });
    expect(await stage.find(told.owner, told.id)).toBeUndefined();
    await stage.close();
    own.close();
    expect(own.received).toHaveLength(1);
  });
});
