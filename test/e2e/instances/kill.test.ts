import { request as httpRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { expectSoundLog, idOf } from '../../support/lipsync-app.ts';
import { askForData, longWait } from '../../support/lipsyncs.ts';
import { createUpload } from '../../support/uploads.ts';
import { wavHeader } from '../../support/wav.ts';
import { cheapEnd, type Fleet, type Instance, openFleet, type Process } from './fleet.ts';
import { expectWhole } from './operations.ts';

const upstreamTimeoutMs = 30_000;
const hour = 3_600_000;

/** The time in which another instance must take over a submission. */
const takeOverMs = upstreamTimeoutMs + 15_000;

let fleet: Fleet;
/** The instance that is killed. */
let lost: Process;
let video: string;
beforeEach(async () => {
  fleet = await openFleet({ env: { UPSTREAM_TIMEOUT_MS: String(upstreamTimeoutMs) } });
  lost = await fleet.spawn();
  video = await lost.source();
  await fleet.turn({ callbacks: 'final-only', generatingMs: hour, ...cheapEnd });
});
afterEach(() => fleet.stop());

const say = (text: string, more: object = {}) => ({
  video: { videoId: video },
  speech: { script: { text } },
  ...more,
});

async function readUploadStatus(instance: Instance, id: string): Promise<string> {
  const query = 'query ($id: ID!) { upload(id: $id) { status } }';
  return (await askForData<{ upload: { status: string } }>(instance, query, { id })).upload.status;
}

/** Each lip-sync has one job and a sound log. */
async function expectSentOnce(other: Instance, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    expect(await fleet.jobsOf(id)).toHaveLength(1);
    expectSoundLog(await other.readEvents(id));
  }
  expect(await fleet.jobs()).toHaveLength(ids.length);
}

describe('works', () => {
  it('another instance fails an upload whose instance was killed, and the lip-sync that waits for it', async () => {
    const other = await fleet.start();
    const { id: uploadId, url } = await createUpload(lost);
    const sent = httpRequest(url, { method: 'PUT' });
    sent.on('error', () => undefined);
    sent.write(wavHeader(32_000));
    await vi.waitFor(async () => {
      expect(await readUploadStatus(other, uploadId)).toBe('RECEIVING');
    }, longWait);
    const id = idOf(await other.create({ video: { videoId: video }, speech: { uploadId } }));
    await lost.program.kill('SIGKILL');
    await fleet.pass(15_000);
    expect(await other.waitForEnd(id)).toMatchObject({
      status: 'FAILED',
      submittedAt: null,
    });
    expect(await readUploadStatus(other, uploadId)).toBe('FAILED');
    expect(await fleet.posts()).toEqual([]);
  });

  it('another instance finishes a submitted lip-sync whose instance was killed during a poll', async () => {
    const id = idOf(await lost.create(say('Accepted')));
    // The poll never returns, and its background job ends with the process.
    await fleet.turn({ failPath: { path: '/videos', method: 'GET', action: 'hang' } });
    await vi.waitFor(async () => {
      expect((await fleet.requests('GET /videos')).map(({ status }) => status)).toContain('hang');
    }, longWait);
    const other = await fleet.start();
    const { over } = await other.watch(id);
    await lost.program.kill('SIGKILL');
    // The callback goes to the address of the killed instance.
    await fleet.finishJobs('COMPLETED');
    const seen = await over;
    expectWhole(seen);
    expect(seen.at(-1)).toMatchObject({ status: 'COMPLETED', source: 'POLL' });
    await expectSentOnce(other, [id]);
  });

  it('another instance finds the job of a POST that was in flight when its instance was killed', async () => {
    const other = await fleet.start();
    const input = say('In flight', { idempotencyKey: 'in flight' });
    await fleet.turn({ hangNext: 1 });
    // This answer is lost.
    const unheard = lost.create(input).catch(() => null);
    await vi.waitFor(async () => expect(await fleet.jobs()).toHaveLength(1), longWait);
    const [{ id = '', status } = {}] = await other.list();
    expect(status).toBe('SUBMITTING');
    const { over } = await other.watch(id);
    const twin = other.create(input);
    await lost.program.kill('SIGKILL');
    await fleet.pass(takeOverMs);
    // A request with the same key gets the same lip-sync, whether or not its job has been found.
    expect(idOf(await twin)).toBe(id);
    expect(await unheard).toBeNull();
    await other.waitForStatus(id, ['SUBMITTED', 'GENERATING']);
    await fleet.finishJobs('COMPLETED');
    const seen = await over;
    expectWhole(seen);
    expect(seen.at(-1)).toMatchObject({ status: 'COMPLETED' });
    expect(await fleet.posts()).toHaveLength(1);
    await expectSentOnce(other, [id]);
  });

  it('another instance sends what waited, in flight and in the queue, when an instance is killed', async () => {
    const other = await fleet.start();
    const running = await Promise.all([1, 2].map((n) => lost.create(say(`Running ${n}`))));
    await fleet.turn({ hangNext: 1 });
    lost.create(say('In flight')).catch(() => null);
    await vi.waitFor(async () => expect(await fleet.jobs()).toHaveLength(3), longWait);
    const waiting = [];
    for (const n of [1, 2, 3, 4]) waiting.push(await lost.create(say(`Waiting ${n}`)));
    expect(waiting.map(({ lipsync }) => lipsync?.status)).toEqual(Array(4).fill('QUEUED'));
    const watchers = await Promise.all(waiting.map((made) => other.watch(idOf(made))));
    await lost.program.kill('SIGKILL');
    await fleet.pass(takeOverMs);
    await vi.waitFor(async () => {
      expect((await other.list()).map(({ status }) => status)).not.toContain('SUBMITTING');
    }, longWait);
    await fleet.turn({ generatingMs: 50 });
    await fleet.finishJobs();
    for (const { over } of watchers) {
      const seen = await over;
      expectWhole(seen);
      expect(seen.at(-1)).toMatchObject({ status: 'MODERATED' });
    }
    const all = await other.list();
    expect(all).toHaveLength(7);
    for (const { id } of all) await other.waitForEnd(id);
    expect(all.map(({ id }) => id)).toEqual(expect.arrayContaining(running.map(idOf)));
    await expectSentOnce(
      other,
      all.map(({ id }) => id),
    );
  });

  it('another instance completes a batch that is requested again after its instance was killed', async () => {
    const other = await fleet.start();
    const batch = Array.from({ length: 8 }, (_, n) =>
      say(`Batch ${n}`, { idempotencyKey: `${n}` }),
    );
    await fleet.turn({ hangNext: 2 });
    const unheard = lost.createAll(batch).catch(() => null);
    // Two POSTs are unanswered, the third is answered or about to be, and the others wait.
    await vi.waitFor(async () => {
      expect(await fleet.jobs()).toHaveLength(3);
      expect(await other.list()).toHaveLength(8);
    }, longWait);
    await lost.program.kill('SIGKILL');
    expect(await unheard).toBeNull();
    // The request waits for the outcomes of the POSTs under way.
    const again = other.createAll(batch);
    await fleet.pass(takeOverMs);
    const { results = [] } = await again;
    const ids = results.map(idOf);
    expect(new Set(ids).size).toBe(8);
    expect(results.slice(3).map(({ replayed }) => replayed)).toEqual(Array(5).fill(true));
    for (const { __typename, replayed } of results.slice(0, 3)) {
      expect(replayed ?? __typename).toBeOneOf([true, 'OutcomeUnknownError']);
    }
    const over = other.watchAll(ids);
    await fleet.turn({ generatingMs: 50 });
    for (const id of ids.slice(0, 3)) await other.waitForStatus(id, ['SUBMITTED', 'GENERATING']);
    await fleet.finishJobs();
    const seen = await over;
    for (const id of ids) {
      const sequences = seen.flatMap((each) => (each.lipsync.id === id ? each.sequence : []));
      const log = await other.readEvents(id);
      expect(sequences).toEqual(log.map(({ sequence }) => sequence).slice(-sequences.length));
      expect(log.at(-1)?.status).toBe('MODERATED');
    }
    await expectSentOnce(other, ids);
  });
});
