import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeCursor } from '../../../../src/domains/lipsyncs/progress/cursor.ts';
import { encodeId, keyOf } from '../../../../src/graphql/ids.ts';
import {
  expectSoundLog,
  idOf,
  type LipsyncApp,
  type Progress,
  progressSubscription,
  startLipsyncApp,
  terminalStatuses,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
beforeEach(() => app.sendFinalCallbacksOnly());

const say = async (text: string) => idOf(await app.create({ video: { videoId: video }, text }));

type Update = Progress['lipsyncProgress'];

async function collect(id: string, after: string | null = null): Promise<Update[]> {
  const seen: Update[] = [];
  for await (const { data, errors } of app.subscribe(id, after)) {
    expect(errors).toBeUndefined();
    if (data) seen.push(data.lipsyncProgress);
  }
  return seen;
}

const watched = () => app.services.lipsyncs.watchedCount();

describe('works', () => {
  it('starts with the newest event, sends every later one, and completes after the terminal event', async () => {
    const id = await say('Follow me');
    const seen = await collect(id);
    const events = await app.readEvents(id);
    expectSoundLog(events);
    const first = seen[0]?.sequence ?? 0;
    expect(seen.map(({ sequence }) => sequence)).toEqual(
      events.filter(({ sequence }) => sequence >= first).map(({ sequence }) => sequence),
    );
    expect(terminalStatuses).toContain(seen.at(-1)?.status);
    expect(seen.every(({ lipsync }) => lipsync.id === id)).toBe(true);
    expect(watched()).toBe(0);
  });

  it('starts after any given cursor', async () => {
    const id = await say('Again');
    await app.waitForEnd(id);
    const events = await app.readEvents(id);
    for (const { cursor, sequence } of events) {
      expect((await collect(id, cursor)).map((each) => each.sequence)).toEqual(
        events.filter((each) => each.sequence > sequence).map((each) => each.sequence),
      );
    }
    expect((await collect(id)).map(({ status }) => status)).toEqual(['COMPLETED']);
  });

  it('shows the current lip-sync in each event', async () => {
    const id = await say('[[no-callback]] Fresh');
    for (const { status, lipsync } of await collect(id)) {
      if (terminalStatuses.includes(status)) expect(lipsync.status).toBe(status);
    }
    const [old] = await collect(id, encodeCursor(keyOf('Lipsync', id) ?? '', 1));
    expect(old?.lipsync.status).toBe('COMPLETED');
  });

  it('sends the same events over WebSocket and SSE, with the cursor as id', async () => {
    const id = await say('Two');
    const bySse: { id: string | null; sequence: number }[] = [];
    const sse = async () => {
      const stream = app.watchSse<Progress>(progressSubscription, { id });
      for await (const { id: eventId, data } of stream) {
        const update = data.data?.lipsyncProgress;
        expect(eventId).toBe(update?.cursor);
        bySse.push({ id: eventId, sequence: update?.sequence ?? 0 });
      }
    };
    const [byWs] = await Promise.all([collect(id), sse()]);
    const last = (await app.readEvents(id)).at(-1)?.sequence;
    expect(byWs.at(-1)?.sequence).toBe(last);
    expect(bySse.at(-1)?.sequence).toBe(last);
    expect(watched()).toBe(0);
  });

  it('ends the subscription of a client that disconnects while no event comes', async () => {
    // After a 429 the lip-sync waits ten seconds and more without an event.
    await app.turn({ statusNext: [429] });
    const id = await say('Quiet');
    const { lipsyncs } = app.services;
    for (const stream of [
      app.subscribe(id),
      app.watchSse<Progress>(progressSubscription, { id }),
    ]) {
      await stream.next();
      expect(watched()).toBe(1);
      await stream.return();
      await vi.waitFor(() => expect(watched()).toBe(0), { ...longWait, timeout: 9_000 });
    }
    // At once, not with the next event: only `return` is called here.
    const [lipsync] = await lipsyncs.findOwn('anonymous', [keyOf('Lipsync', id) ?? '']);
    if (lipsync == null) throw new Error('It is gone.');
    const follower = await lipsyncs.subscribe(lipsync, null);
    await follower.next();
    const quiet = follower.next();
    await follower.return?.();
    expect(await quiet).toMatchObject({ done: true });
    expect(watched()).toBe(0);
    await app.cancel(id);
    app.clock.aheadMs += 31_000;
  });

  it('completes when the lip-sync is erased', async () => {
    const id = await say('[[never]] Erased');
    await app.cancel(id);
    await app.delete(id);
    expect(await collect(id)).toMatchObject([{ __typename: 'NotFoundError' }]);
  });
});

describe('refuses', () => {
  it('cursors that do not belong to this lip-sync, and completes', async () => {
    const id = await say('Mine');
    const other = await say('Other');
    await Promise.all([app.waitForEnd(id), app.waitForEnd(other)]);
    const key = keyOf('Lipsync', id) ?? '';
    const foreign = (await app.readEvents(other))[0]?.cursor ?? '';
    for (const after of [
      'rubbish',
      '',
      foreign,
      encodeCursor(key, 99),
      encodeCursor(key, 0),
      encodeCursor(key, 2 ** 40),
      encodeCursor(key, 1.5),
      'x'.repeat(10_000),
    ]) {
      const answers = await collect(id, after);
      expect(answers).toMatchObject([{ __typename: 'InvalidInputError', code: 'INVALID_INPUT' }]);
    }
    expect(watched()).toBe(0);
  });

  it('forged cursors of lists with values that the database rejects', async () => {
    const id = await say('Lists');
    await app.waitForEnd(id);
    const cursor = (text: string) => Buffer.from(text).toString('base64url');
    for (const after of [
      cursor('123:abc'),
      cursor(`8640000000000000:${keyOf('Lipsync', id)}`),
      cursor(`-1:${keyOf('Lipsync', id)}`),
    ]) {
      const { errors } = await app.ask(
        'query ($after: String) { lipsyncs(after: $after) { nodes { id } } }',
        { after },
      );
      expect(errors?.[0]?.extensions?.code).toBe('INVALID_INPUT');
    }
    const { errors } = await app.ask(
      'query ($id: ID!, $after: String) { lipsync(id: $id) { events(after: $after) { nodes { sequence } } } }',
      { id, after: encodeCursor(keyOf('Lipsync', id) ?? '', 2 ** 40) },
    );
    expect(errors?.[0]?.extensions?.code).toBe('INVALID_INPUT');
    const { lipsyncs } = await app.askForData<{ lipsyncs: { nodes: object[] } }>(
      'query ($reference: String) { lipsyncs(filter: { reference: $reference }) { nodes { id } } }',
      { reference: 'a\0b' },
    );
    expect(lipsyncs.nodes).toEqual([]);
  });

  it('unknown ids', async () => {
    for (const id of ['rubbish', encodeId('Lipsync', '00000000-0000-4000-8000-000000000000')]) {
      expect(await collect(id)).toMatchObject([{ __typename: 'NotFoundError' }]);
    }
  });
});
