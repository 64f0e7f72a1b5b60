import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Charge,
  chargeOf,
  type LipsyncStatus,
  lipsyncStatuses,
} from '../../../src/domains/lipsyncs/lifecycle.ts';
import {
  idOf,
  type LipsyncApp,
  startLipsyncApp,
  terminalStatuses,
} from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({ intervals: { tickMs: 100, callbackMs: 100 } });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
beforeEach(() => app.sendFinalCallbacksOnly());

const say = (text: string, more: object = {}) =>
  app.create({ video: { videoId: video }, text, ...more });

type Outcome = { status: string; isFinal: boolean; charge: string };

async function readOutcome(id: string): Promise<Outcome> {
  const { lipsync } = await app.askForData<{ lipsync: Outcome }>(
    'query ($id: ID!) { lipsync(id: $id) { status isFinal charge } }',
    { id },
  );
  return lipsync;
}

describe('the charge of a lip-sync', () => {
  const job = { upstreamVideoId: 'job' };
  const stopped = { isTrackingStopped: true };
  const failure = { code: 'GENERATION_FAILED' };
  const unknown = { code: 'OUTCOME_UNKNOWN' };
  const cases: [string, LipsyncStatus, object, Charge][] = [
    ['waits', 'QUEUED', {}, 'NONE'],
    ['is being sent', 'SUBMITTING', {}, 'POSSIBLE'],
    ['was accepted', 'SUBMITTED', job, 'POSSIBLE'],
    ['is running', 'GENERATING', job, 'POSSIBLE'],
    ['was made', 'COMPLETED', job, 'CHARGED'],
    ['failed as a job', 'FAILED', { ...job, failure }, 'POSSIBLE'],
    ['was rejected', 'FAILED', { failure: { code: 'INSUFFICIENT_CREDITS' } }, 'NONE'],
    ['has an unknown outcome', 'FAILED', { failure: unknown }, 'POSSIBLE'],
    ['was moderated before its job', 'MODERATED', {}, 'NONE'],
    ['was moderated as a job, whose credits are refunded', 'MODERATED', job, 'NONE'],
    ['was cancelled while it waited', 'CANCELLED', {}, 'NONE'],
    ['was cancelled while it ran', 'CANCELLED', { ...job, ...stopped }, 'CHARGED'],
    ['was cancelled while its job was searched for', 'CANCELLED', stopped, 'POSSIBLE'],
    ['expired', 'EXPIRED', {}, 'NONE'],
  ];
  it.each(cases)('that %s (%s) is known', (...[, status, columns, charge]) => {
    const row = { upstreamVideoId: null, isTrackingStopped: false, failure: null };
    expect(chargeOf({ ...row, status, ...columns })).toBe(charge);
  });
});

describe('works', () => {
  it('says of a lip-sync whether it is final and what was charged, from the queue to the video', async () => {
    const running = await Promise.all([1, 2, 3].map((n) => say(`[[never]] ${n}`)));
    const waiting = idOf(await say('Waits'));
    expect(await readOutcome(waiting)).toEqual({
      status: 'QUEUED',
      isFinal: false,
      charge: 'NONE',
    });
    const [first = '', second = ''] = running.map(idOf);
    expect(await readOutcome(first)).toMatchObject({ isFinal: false, charge: 'POSSIBLE' });
    await app.cancel(waiting);
    const cancelled = { status: 'CANCELLED', isFinal: true };
    expect(await readOutcome(waiting)).toEqual({ ...cancelled, charge: 'NONE' });
    await app.cancel(second);
    expect(await readOutcome(second)).toEqual({ ...cancelled, charge: 'CHARGED' });
    await app.finishJob(first);
    await app.waitForEnd(first);
    expect(await readOutcome(first)).toEqual({
      status: 'COMPLETED',
      isFinal: true,
      charge: 'CHARGED',
    });
    await Promise.all(running.map((each) => app.cancel(idOf(each))));
  });

  it('says that a job which failed may be charged, and one that was moderated is not', async () => {
    const ends = { FAILED: 'POSSIBLE', MODERATED: 'NONE' };
    for (const [status, charge] of Object.entries(ends)) {
      const id = idOf(await say(`[[never]] ${status}`));
      await app.finishJob(id, status);
      await app.waitForEnd(id);
      expect(await readOutcome(id)).toEqual({ status, isFinal: true, charge });
    }
  });

  it('shows the failure and the finality of each event, in the log and in the stream', async () => {
    const id = idOf(await say('[[never]] Fails'));
    const streamed: { status: string; isFinal: boolean }[] = [];
    const watched = (async () => {
      type Data = { lipsyncProgress: (typeof streamed)[number] };
      const query = `subscription ($id: ID!) { lipsyncProgress(id: $id) {
        ... on LipsyncProgress { status isFinal lipsync { isFinal } } } }`;
      for await (const { data } of app.watchWs<Data>(query, { id })) {
        if (data) streamed.push(data.lipsyncProgress);
      }
    })();
    await vi.waitFor(() => expect(streamed.length).toBeGreaterThan(0), longWait);
    await app.finishJob(id, 'FAILED');
    await watched;
    type Node = { status: string; isFinal: boolean; failure: { code: string } | null };
    const { lipsync } = await app.askForData<{ lipsync: { events: { nodes: Node[] } } }>(
      `query ($id: ID!) { lipsync(id: $id) { events(first: 100) {
         nodes { status isFinal failure { code } } } } }`,
      { id },
    );
    const { nodes } = lipsync.events;
    for (const { status, isFinal } of [...nodes, ...streamed]) {
      expect(isFinal).toBe(terminalStatuses.includes(status));
    }
    expect(streamed.at(-1)).toMatchObject({ status: 'FAILED', lipsync: { isFinal: true } });
    expect(nodes.at(-1)?.failure).toEqual({ code: 'GENERATION_FAILED' });
    expect(nodes.slice(0, -1).map(({ failure }) => failure)).toEqual(
      nodes.slice(0, -1).map(() => null),
    );
  });

  it('answers every outcome of a cancellation through the interface CancelOutcome', async () => {
    const cancel = `mutation ($id: ID!) { cancelLipsync(input: { id: $id }) {
      __typename ... on CancelOutcome { lipsync { isFinal charge } } ... on LipsyncError { code } } }`;
    const cancelled = async (id: string) =>
      (await app.askForData<{ cancelLipsync: object }>(cancel, { id })).cancelLipsync;
    const running = idOf(await say('[[never]] Runs'));
    expect(await cancelled(running)).toEqual({
      __typename: 'LipsyncTrackingStopped',
      lipsync: { isFinal: true, charge: 'CHARGED' },
    });
    const ended = idOf(await say('[[never]] Ends'));
    await app.finishJob(ended);
    await app.waitForEnd(ended);
    expect(await cancelled(ended)).toEqual({
      __typename: 'LipsyncAlreadyFinished',
      lipsync: { isFinal: true, charge: 'CHARGED' },
    });
    expect(await cancelled('none')).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND' });
  });

  it('calls exactly the terminal statuses final', () => {
    expect(lipsyncStatuses.slice(-5)).toEqual(terminalStatuses);
  });
});
