import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeCursor, listCursorsOf } from '../../../../src/domains/lipsyncs/progress/cursor.ts';
import { encodeId, keyOf } from '../../../../src/graphql/ids.ts';
import type { Result } from '../../../support/graphql-client.ts';
import {
  apiKeys,
  expectSoundLog,
  idOf,
  idsOf,
  type LipsyncApp,
  type ListProgress,
  listSubscription,
  signInAs,
  startLipsyncApp,
  terminalStatuses,
  type Update,
} from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';

const seed = 20_261_108;

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    env: {
      API_KEYS: apiKeys('ann', 'bob'),
      ALLOW_ANONYMOUS: 'true',
      MAX_JOB_MS: '60000',
    },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
beforeEach(() => app.sendFinalCallbacksOnly());

const say = (text: string) => ({ video: { videoId: video }, speech: { script: { text } } });

const createSome = async (texts: string[], headers = {}) =>
  idsOf(await app.createAll(texts.map(say), headers));

/** Creates lip-syncs that cost the sandbox no rendering: only their end matters here. */
async function createEnded(texts: string[]): Promise<string[]> {
  await app.turn({ outcome: 'FAILED' });
  const ids = await createSome(texts);
  for (const id of ids) await app.waitForEnd(id);
  return ids;
}

const cursorsOf = (ids: readonly string[]) =>
  listCursorsOf([...new Set(ids)].map((id) => keyOf('Lipsync', id) ?? ''));

/** A cursor with the same sequence for each lip-sync of the list. */
const cursorAt = (ids: readonly string[], sequence: number) =>
  cursorsOf(ids).encode(new Map(ids.map((id) => [keyOf('Lipsync', id) ?? '', sequence])));

async function collect(ids: string[], after: string | null = null, headers = {}) {
  const seen: Update[] = [];
  for await (const { data, errors } of app.subscribeToAll(ids, after, headers)) {
    expect(errors).toBeUndefined();
    if (data) seen.push(data.lipsyncsProgress);
  }
  return seen;
}

/** All events up to the first that matches. */
async function readUntil(
  stream: AsyncIterator<Result<ListProgress>>,
  fits: (update: Update) => boolean,
): Promise<Update[]> {
  const seen: Update[] = [];
  for (;;) {
    const { value, done } = await stream.next();
    if (done === true) {
      const events = seen.map(({ lipsync, sequence, status, failure }) => [
        lipsync.id,
        sequence,
        status,
        failure?.code,
      ]);
      throw new Error(`The stream ended after ${JSON.stringify(events)}.`);
    }
    const update = (value as Result<ListProgress>).data?.lipsyncsProgress;
    if (update === undefined) throw new Error('An event without data.');
    seen.push(update);
    if (fits(update)) return seen;
  }
}

const sequencesOf = (updates: readonly Update[], id: string) =>
  updates.filter(({ lipsync }) => lipsync.id === id).map(({ sequence }) => sequence);

const watched = () => app.services.lipsyncs.watchedCount();

describe('works', () => {
  it('starts with the newest event of each, sends every later one, and completes when all have ended', async () => {
    const [ended = ''] = await createEnded(['Ended before']);
    await app.sendFinalCallbacksOnly();
    const ids = [
      ended,
      ...(await createSome(['[[never]] one', '[[moderated]] two', '[[failed]] three'])),
    ];
    const begun = Promise.withResolvers<void>();
    const seen: Update[] = [];
    const over = (async () => {
      for await (const { data } of app.subscribeToAll(ids)) {
        if (data) seen.push(data.lipsyncsProgress);
        if (seen.length >= 4) begun.resolve();
      }
    })();
    await begun.promise;
    expect(new Set(seen.slice(0, 4).map(({ lipsync }) => lipsync.id))).toEqual(new Set(ids));
    for (const id of ids.slice(2)) await app.waitForEnd(id);
    // One of them still runs, so the stream stays open.
    expect(seen.filter(({ lipsync }) => lipsync.id === ids[1]).at(-1)?.status).not.toBe(
      'CANCELLED',
    );
    await app.cancel(ids[1] ?? '');
    await over;
    for (const id of ids) {
      const log = await app.readEvents(id);
      expectSoundLog(log);
      const sequences = sequencesOf(seen, id);
      expect(sequences).toEqual(log.map(({ sequence }) => sequence).slice(-sequences.length));
      expect(terminalStatuses).toContain(seen.findLast(({ lipsync }) => lipsync.id === id)?.status);
    }
    expect(sequencesOf(seen, ended)).toHaveLength(1);
    expect(watched()).toBe(0);
  });

  it('continues from each of its cursors with exactly the remaining events, in any order of the ids', async () => {
    const ids = await createEnded(['a', 'b', 'c', 'd', 'e']);
    const logs = new Map(
      await Promise.all(ids.map(async (id) => [id, await app.readEvents(id)] as const)),
    );
    const whole = await collect(ids, cursorAt(ids, 0));
    expect(whole.length).toBe([...logs.values()].flat().length);
    const cuts = fc.tuple(
      fc.integer({ min: 0, max: whole.length - 1 }),
      fc.shuffledSubarray(ids, { minLength: ids.length, maxLength: ids.length }),
    );
    for (const [cut, order] of fc.sample(cuts, { seed, numRuns: 25 })) {
      const received = whole.slice(0, cut + 1);
      const rest = await collect(order, received.at(-1)?.cursor);
      for (const id of ids) {
        expect([...sequencesOf(received, id), ...sequencesOf(rest, id)]).toEqual(
          logs.get(id)?.map(({ sequence }) => sequence),
        );
      }
    }
    // Oldest first across all lip-syncs.
    const times = await Promise.all(whole.map(({ cursor }) => timeOf(cursor, whole, logs)));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it('sends the logs of a hundred in one stream that is cut repeatedly and resumed over either transport', async () => {
    await app.turn({ outcome: 'FAILED', queuedMs: 10, generatingMs: 40 });
    // Some wait for a slot; the others need none, so that the test takes seconds.
    const inputs = Array.from({ length: 100 }, (_, n) => ({
      ...say(`hundred ${n}`),
      offPeak: n % 5 !== 0,
    }));
    const ids = idsOf(await app.createAll(inputs));
    const seen: Update[] = [];
    const cuts = fc.sample(fc.integer({ min: 1, max: 60 }), { seed, numRuns: 12 });
    for (const [turn, most] of cuts.entries()) {
      const order = turn % 3 === 0 ? ids.toReversed() : ids;
      const after = seen.at(-1)?.cursor ?? null;
      await (turn % 2 === 0
        ? takeByWebSocket(seen, { order, after, most })
        : takeBySse(seen, { order, after, most }));
    }
    seen.push(...(await collect(ids, seen.at(-1)?.cursor)));
    for (const id of ids) {
      const log = await app.readEvents(id);
      const sequences = sequencesOf(seen, id);
      expect(sequences.length).toBeGreaterThan(0);
      expect(sequences).toEqual(log.map(({ sequence }) => sequence).slice(-sequences.length));
    }
    expect(Math.max(...seen.map(({ cursor }) => cursor.length))).toBeLessThan(200);
    expect(watched()).toBe(0);
  });

  it('sends the event of a job found late to resumed streams and to streams still open for another lip-sync', async () => {
    await app.turn({
      callbacks: 'none',
      replyRefInScheduler: false,
      queuedMs: 10,
      generatingMs: 10,
    });
    const lost = idOf(await app.create(say('[[cut]] late')));
    app.clock.aheadMs += 61_000;
    expect(await app.waitForEnd(lost)).toMatchObject({ failure: { code: 'OUTCOME_UNKNOWN' } });
    const [other = ''] = await createSome(['[[never]] another']);
    const ids = [lost, other];
    const stays = app.subscribeToAll(ids);
    const of = (id: string) => (update: Update) => update.lipsync.id === id;
    const received = await readUntil(stays, of(lost));
    const unknown = received.at(-1);
    expect(unknown).toMatchObject({ status: 'FAILED', failure: { code: 'OUTCOME_UNKNOWN' } });
    const next = readUntil(stays, of(lost));
    // The sandbox renders the video meanwhile. After MAX_JOB_MS only a callback leads to the job, so it must have completed.
    const job = await vi.waitFor(async () => {
      const found = await app.jobOf(lost);
      expect(found?.status).toBe('COMPLETED');
      return found;
    }, longWait);
    const body = JSON.stringify({ video_id: job?.video_id, video_status_name: 'COMPLETED' });
    await fetch(job?.replyUrl ?? '', { method: 'POST', body });
    const late = (await next).at(-1);
    expect(late).toMatchObject({ status: 'COMPLETED', sequence: (unknown?.sequence ?? 0) + 1 });
    await stays.return(undefined);
    await app.cancel(other);
    await app.waitForEnd(other);
    expect(sequencesOf(await collect(ids, unknown?.cursor), lost)).toEqual([late?.sequence]);
    expect(sequencesOf(await collect(ids, late?.cursor), lost)).toEqual([]);
  });

  it('counts a duplicate id once', async () => {
    const [id = '', other = ''] = await createEnded(['twice', 'once']);
    const seen = await collect([id, other, id]);
    expect(seen).toHaveLength(2);
    expect(await collect([other, id], seen.at(-1)?.cursor)).toEqual([]);
  });

  it('continues without an erased lip-sync, also in a resumed stream', async () => {
    const [gone = '', stays = ''] = await createSome(['[[never]] gone', '[[never]] stays']);
    const stream = app.subscribeToAll([gone, stays]);
    const first = (await stream.next()).value?.data?.lipsyncsProgress;
    await app.cancel(gone);
    await app.delete(gone);
    await app.cancel(stays);
    const seen: Update[] = [];
    for await (const { data } of stream) if (data) seen.push(data.lipsyncsProgress);
    expect(seen.at(-1)).toMatchObject({ lipsync: { id: stays }, status: 'CANCELLED' });
    const back = await collect([stays, gone], first?.cursor);
    expect(new Set(back.map(({ lipsync }) => lipsync.id))).toEqual(new Set([stays]));
    // A stream without a cursor must leave it out.
    expect(await collect([stays, gone])).toMatchObject([{ code: 'NOT_FOUND' }]);
    await app.delete(stays);
    expect(await collect([stays, gone], first?.cursor)).toMatchObject([{ code: 'NOT_FOUND' }]);
  });

  it('sends the cursor as the id of each event, and Last-Event-ID overrides after', async () => {
    const ids = await createEnded(['by SSE one', 'by SSE two']);
    const variables = { ids, after: cursorAt(ids, 0) };
    const whole = [];
    for await (const { id, data } of app.watchSse<ListProgress>(listSubscription, variables)) {
      expect(id).toBe(data.data?.lipsyncsProgress.cursor);
      whole.push(id);
    }
    const headers = { 'last-event-id': whole[1] ?? '' };
    const rest = [];
    for await (const { id } of app.watchSse(listSubscription, variables, { headers })) {
      rest.push(id);
    }
    expect(rest).toEqual(whole.slice(2));
  });

  it('starts after `after` if Last-Event-ID is empty', async () => {
    const ids = await createEnded(['by SSE three', 'by SSE four']);
    const read = async (after: string, headers: Record<string, string>) => {
      const cursors = [];
      const options = { headers };
      for await (const { id } of app.watchSse(listSubscription, { ids, after }, options)) {
        cursors.push(id);
      }
      return cursors;
    };
    const whole = await read(cursorAt(ids, 0), {});
    expect(whole.length).toBeGreaterThan(2);
    expect(await read(whole[0] ?? '', { 'last-event-id': '' })).toEqual(whole.slice(1));
  });

  it('ends at once when the client disconnects, also without events', async () => {
    const ids = await createSome(['[[never]] quiet one', '[[never]] quiet two']);
    const keys = ids.map((id) => keyOf('Lipsync', id));
    const { lipsyncs } = app.services;
    const follower = await lipsyncs.subscribeToMany({ owner: 'anonymous', keys, cursor: null });
    expect(watched()).toBe(0);
    for (const _ of ids) await follower.next();
    expect(watched()).toBe(2);
    const quiet = follower.next();
    await follower.return?.();
    expect(await quiet).toMatchObject({ done: true });
    expect(watched()).toBe(0);
    for (const id of ids) await app.cancel(id);
  });
});

describe('refuses', () => {
  const refused = async (ids: string[], after: string | null = null) => {
    const answers = await collect(ids, after);
    expect(answers).toHaveLength(1);
    return answers[0];
  };

  it('an empty list of ids, and more than a hundred', async () => {
    for (const ids of [[], Array(101).fill(encodeId('Lipsync', 'x'))]) {
      expect(await refused(ids)).toMatchObject({
        __typename: 'InvalidInputError',
        issues: [{ path: ['ids'] }],
      });
    }
  });

  it('the subscription if one of the ids is unknown, and names it', async () => {
    const [id = ''] = await createEnded(['Here']);
    const missing = encodeId('Lipsync', '00000000-0000-4000-8000-000000000000');
    for (const nothing of ['', 'rubbish', missing, video, encodeId('Lipsync', 'no uuid')]) {
      expect(await refused([id, id, nothing])).toMatchObject({
        __typename: 'NotFoundError',
        message: 'The lip-sync at ids[2] was not found.',
      });
    }
    // A cursor does not make an invalid id acceptable.
    for (const nothing of ['rubbish', encodeId('Lipsync', 'no uuid')]) {
      const after = cursorAt([id, nothing], 0);
      expect(await refused([id, nothing], after)).toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  it('cursors that do not belong to this list, and completes', async () => {
    const [one = '', two = '', three = ''] = await createEnded(['1', '2', '3']);
    const ids = [one, two];
    const [whole] = await collect([one, two, three]);
    const [alone] = await collect([one]);
    const key = keyOf('Lipsync', one) ?? '';
    const single = (await app.readEvents(one))[0]?.cursor ?? '';
    for (const after of [
      '',
      'rubbish',
      whole?.cursor ?? '',
      alone?.cursor ?? '',
      single,
      encodeCursor(key, 1),
      cursorAt(ids, 99),
      cursorAt(ids, 2 ** 31 - 1),
      'x'.repeat(10_000),
    ]) {
      expect(await refused(ids, after), after).toMatchObject({
        __typename: 'InvalidInputError',
        issues: [{ path: ['after'] }],
      });
    }
    // A list cursor is not valid for a single lip-sync, not even that of a list of this lip-sync alone.
    const answers = [];
    for await (const { data } of app.subscribe(one, alone?.cursor))
      answers.push(data?.lipsyncProgress);
    expect(answers).toMatchObject([{ __typename: 'InvalidInputError' }]);
    expect(watched()).toBe(0);
  });
});

describe('keeps out', () => {
  it("another owner's lip-syncs, also with a forged cursor", async () => {
    const [foreign = ''] = await createSome(['[[never]] of Ann'], signInAs('ann'));
    const [own = ''] = await createSome(['[[never]] of Bob'], signInAs('bob'));
    expect(await collect([own, foreign], null, signInAs('bob'))).toMatchObject([
      { code: 'NOT_FOUND' },
    ]);
    const made = cursorAt([own, foreign], 0);
    const stream = app.subscribeToAll([own, foreign], made, signInAs('bob'));
    const seen: Update[] = [];
    const over = (async () => {
      for await (const { data } of stream) if (data) seen.push(data.lipsyncsProgress);
    })();
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(1), longWait);
    await app.cancel(foreign, signInAs('ann'));
    await app.cancel(own, signInAs('bob'));
    await over;
    expect(new Set(seen.map(({ lipsync }) => lipsync.id))).toEqual(new Set([own]));
    // Exactly as for an id that never existed.
    const missing = encodeId('Lipsync', '00000000-0000-4000-8000-000000000000');
    const asMissing = await collect([own, missing], cursorAt([own, missing], 0), signInAs('bob'));
    expect(asMissing.map(({ sequence }) => sequence)).toEqual(seen.map(({ sequence }) => sequence));
  });
});

type Taking = { order: string[]; after: string | null; most: number };

/** Reads this many events and then cuts the connection. */
async function takeByWebSocket(seen: Update[], { order, after, most }: Taking): Promise<void> {
  let left = most;
  for await (const { data } of app.subscribeToAll(order, after)) {
    if (data) seen.push(data.lipsyncsProgress);
    left -= 1;
    if (left === 0) return;
  }
}

async function takeBySse(seen: Update[], { order, after, most }: Taking): Promise<void> {
  let left = most;
  const headers: Record<string, string> = after === null ? {} : { 'last-event-id': after };
  // In the URL, as a browser's `EventSource` requests it: a hundred ids must fit.
  const options = { headers, method: 'GET' } as const;
  const variables = { ids: order };
  for await (const { data } of app.watchSse<ListProgress>(listSubscription, variables, options)) {
    if (data.data) seen.push(data.data.lipsyncsProgress);
    left -= 1;
    if (left === 0) return;
  }
}

/** When the event of a cursor was recorded. */
async function timeOf(
  cursor: string,
  whole: readonly Update[],
  logs: ReadonlyMap<string, unknown>,
): Promise<number> {
  const update = whole.find((each) => each.cursor === cursor);
  expect(logs.has(update?.lipsync.id ?? '')).toBe(true);
  const [row] = await app.db.query<{ at: Date }>(
    'select occurred_at as at from lipsync_events where lipsync_id = $1 and sequence = $2',
    [keyOf('Lipsync', update?.lipsync.id ?? ''), update?.sequence],
  );
  return row?.at.getTime() ?? 0;
}
