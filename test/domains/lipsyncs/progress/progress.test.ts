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
  it('begins with the last event, tells every one after it, and completes after the end', async () => {
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

  it('with a cursor begins after it, wherever it stands', async () => {
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

  it('shows the lip-sync as it is now and not as it was first loaded', async () => {
    const id = await say('[[no-callback]] Fresh');
    for (const { status, lipsync } of await collect(id)) {
      if (terminal.includes(status)) expect(lipsync.status).toBe(status);
    }
    const [old] = await collect(id, encodeCursor(keyOf('Lipsync', id) ?? '', 1));
    expect(old?.lipsync.status).toBe('COMPLETED');
  });

  it('tells two watchers the same, over WebSocket and SSE, with the cursor as id', async () => {
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

  it('does not keep a watcher that leaves while nothing happens', async () => {
    // Refused by a busy upstream, it waits for ten seconds and more without a word.
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
    // At once, and not with the next event: here nothing but `return` happens.
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

  it('completes for who watches one that is erased', async () => {
    const id = await say('[[never]] Erased');
    await stage.cancel(id);
    await stage.remove(id);
    expect(await collect(id)).toMatchObject([{ __typename: 'NotFoundError' }]);
  });
});

describe('refuses', () => {
  it('cursors that are none of this lip-sync, and completes', async () => {
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

  it('cursors of lists that would have choked the database', async () => {
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

  it('ids of nothing', async () => {
    for (const id of ['rubbish', encodeId('Lipsync', '00000000-0000-4000-8000-000000000000')]) {
      expect(await collect(id)).toMatchObject([{ __typename: 'NotFoundError' }]);
    }
  });
});

describe('reads', () => {
  it('fifty lip-syncs with their voices and videos for at most three upstream calls', async () => {
    await stage.test.turn({ outcome: 'FAILED', callbacks: 'final-only' });
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        stage.create({
          video: { id: video },
          speech: { text: { text: `List ${n}`, voiceId: encodeId('Voice', '2') } },
          reference: 'fifty',
        }),
      ),
    );
    for (const each of made) await stage.end(idOf(each));
    await stage.forgetRequests();
    type Node = { voice: { name: string }; sourceVideo: { id: string; status: string } };
    const { lipsyncs } = await stage.ask<{ lipsyncs: { nodes: Node[] } }>(
      `{ lipsyncs(first: 100, filter: { reference: "fifty" }) { nodes { id voice { id name previewUrl }
        sourceVideo { id status url } result { id url } progress { percent queuePosition } } } }`,
    );
    expect(lipsyncs.nodes).toHaveLength(50);
    for (const node of lipsyncs.nodes) {
      expect(node.voice.name).toBe('James');
      expect(node.sourceVideo).toMatchObject({ id: video, status: 'COMPLETED' });
    }
    expect((await stage.requests()).length).toBeLessThanOrEqual(3);
  });
});
