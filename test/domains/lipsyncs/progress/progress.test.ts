import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeCursor } from '../../../../src/domains/lipsyncs/progress/cursor.ts';
import { encodeId, keyOf } from '../../../../src/graphql/ids.ts';
import {
  expectSoundLog,
  idOf,
  openStage,
  type Progress,
  patient,
  progressSubscription,
  type Stage,
  terminal,
} from '../stage.ts';

let stage: Stage;
let video: string;
beforeAll(async () => {
  stage = await openStage({
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
  });
  [video = ''] = await stage.sources();
});
afterAll(() => stage.stop());
beforeEach(() => stage.beBrief());

const say = async (text: string) =>
  idOf(await stage.create({ video: { id: video }, speech: { text: { text } } }));

type Update = Progress['lipsyncProgress'];

async function collect(id: string, after: string | null = null): Promise<Update[]> {
  const seen: Update[] = [];
  for await (const { data, errors } of stage.watch(id, after)) {
    expect(errors).toBeUndefined();
    if (data) seen.push(data.lipsyncProgress);
  }
  return seen;
}

const watched = () => stage.test.app.services.lipsyncs.watchedCount();

describe('works', () => {
  it('starts with the newest event, sends every later one, and completes after the terminal event', async () => {
    const id = await say('Follow me');
    const seen = await collect(id);
    const events = await stage.events(id);
    expectSoundLog(events);
    const first = seen[0]?.sequence ?? 0;
    expect(seen.map(({ sequence }) => sequence)).toEqual(
      events.filter(({ sequence }) => sequence >= first).map(({ sequence }) => sequence),
    );
    expect(terminal).toContain(seen.at(-1)?.status);
    expect(seen.every(({ lipsync }) => lipsync.id === id)).toBe(true);
    expect(watched()).toBe(0);
  });

  it('starts after any given cursor', async () => {
    const id = await say('Again');
    await stage.end(id);
    const events = await stage.events(id);
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
      if (terminal.includes(status)) expect(lipsync.status).toBe(status);
    }
    const [old] = await collect(id, encodeCursor(keyOf('Lipsync', id) ?? '', 1));
    expect(old?.lipsync.status).toBe('COMPLETED');
  });

  it('sends the same events over WebSocket and SSE, with the cursor as id', async () => {
    const id = await say('Two');
    const bySse: { id: string | null; sequence: number }[] = [];
    const sse = async () => {
      const stream = stage.test.watchSse<Progress>(progressSubscription, { id });
      for await (const { id: eventId, data } of stream) {
        const update = data.data?.lipsyncProgress;
        expect(eventId).toBe(update?.cursor);
        bySse.push({ id: eventId, sequence: update?.sequence ?? 0 });
      }
    };
    const [byWs] = await Promise.all([collect(id), sse()]);
    const last = (await stage.events(id)).at(-1)?.sequence;
    expect(byWs.at(-1)?.sequence).toBe(last);
    expect(bySse.at(-1)?.sequence).toBe(last);
    expect(watched()).toBe(0);
  });

  it('ends the subscription of a client that disconnects while no event comes', async () => {
    // After a 429 the lip-sync waits ten seconds and more without an event.
    await stage.test.turn({ statusNext: [429] });
    const id = await say('Quiet');
    const { lipsyncs } = stage.test.app.services;
    for (const stream of [
      stage.watch(id),
      stage.test.watchSse<Progress>(progressSubscription, { id }),
    ]) {
      await stream.next();
      expect(watched()).toBe(1);
      await stream.return();
      await vi.waitFor(() => expect(watched()).toBe(0), { ...patient, timeout: 5_000 });
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
    await stage.cancel(id);
    stage.clock.aheadMs += 31_000;
  });

  it('completes when the lip-sync is erased', async () => {
    const id = await say('[[never]] Erased');
    await stage.cancel(id);
    await stage.remove(id);
    expect(await collect(id)).toMatchObject([{ __typename: 'NotFoundError' }]);
  });
});

describe('refuses', () => {
  it('cursors that do not belong to this lip-sync, and completes', async () => {
    const id = await say('Mine');
    const other = await say('Other');
    await Promise.all([stage.end(id), stage.end(other)]);
    const key = keyOf('Lipsync', id) ?? '';
    const foreign = (await stage.events(other))[0]?.cursor ?? '';
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
    await stage.end(id);
    const cursor = (text: string) => Buffer.from(text).toString('base64url');
    for (const after of [
      cursor('123:abc'),
      cursor(`8640000000000000:${keyOf('Lipsync', id)}`),
      cursor(`-1:${keyOf('Lipsync', id)}`),
    ]) {
      const { errors } = await stage.test.ask(
        'query ($after: String) { lipsyncs(after: $after) { nodes { id } } }',
        { after },
      );
      expect(errors?.[0]?.extensions?.code).toBe('INVALID_INPUT');
    }
    const { errors } = await stage.test.ask(
      'query ($id: ID!, $after: String) { lipsync(id: $id) { events(after: $after) { nodes { sequence } } } }',
      { id, after: encodeCursor(keyOf('Lipsync', id) ?? '', 2 ** 40) },
    );
    expect(errors?.[0]?.extensions?.code).toBe('INVALID_INPUT');
    const { lipsyncs } = await stage.ask<{ lipsyncs: { nodes: object[] } }>(
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
