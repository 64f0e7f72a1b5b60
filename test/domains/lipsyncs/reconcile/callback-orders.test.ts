import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  expectSoundLog,
  idOf,
  type Job,
  type LipsyncApp,
  shortIntervals,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';

const seed = 20_260_503;
const count = 7;

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    intervals: shortIntervals,
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }] },
  });
  // The upstream sends no callbacks; this test sends them: lost, duplicate, early, late and forged.
  await app.turn({ callbacks: 'none' });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());

type Callback = {
  /** `early`: before the job runs; `due`: when it ends; `late`: after its end is known. */
  when: 'early' | 'due' | 'late';
  status: 'QUEUED' | 'GENERATING' | 'COMPLETED' | 'FAILED' | 'MODERATED';
  about: 'itself' | 'another' | 'nothing that exists';
  times: number;
};

const callbacks: fc.Arbitrary<Callback[]> = fc.array(
  fc.record({
    when: fc.constantFrom('early', 'due', 'late'),
    status: fc.constantFrom('QUEUED', 'GENERATING', 'COMPLETED', 'FAILED', 'MODERATED'),
    about: fc.constantFrom('itself', 'another', 'nothing that exists'),
    times: fc.integer({ min: 1, max: 3 }),
  }),
  { minLength: 3, maxLength: 12 },
);

async function call(job: Job, others: Job[], { status, about, times }: Callback): Promise<void> {
  const id = {
    itself: job.video_id,
    another: others[0]?.video_id ?? '',
    'nothing that exists': job.video_id.replace(/\d+$/, '999999999999999'),
  }[about];
  const body = {
    video_id: id,
    video_status_name: status,
    video_status_final: true,
    url: 'http://198.51.100.7/forged.mp4',
    replyRef: about === 'another' ? others[0]?.replyRef : job.replyRef,
  };
  const answers = await Promise.all(
    Array.from({ length: times }, () =>
      fetch(job.replyUrl, { method: 'POST', body: JSON.stringify(body) }),
    ),
  );
  for (const { status: answered } of answers) expect(answered).toBe(200);
}

/** What a caller finally sees, without the values that differ between lip-syncs. */
async function readOutcome(id: string) {
  const lipsync = await app.read(id);
  const events = await app.readEvents(id);
  expectSoundLog(events);
  const job = await app.jobOf(id);
  return {
    statuses: [...new Set(events.map(({ status }) => status))],
    failure: lipsync?.failure ?? null,
    creditsCharged: lipsync?.creditsCharged,
    result: lipsync?.result?.url?.replace(job?.video_id.split(':').at(-1) ?? '', 'its own'),
    posts: (await app.postsOf(id)).length,
  };
}

describe('works', () => {
  it.each(['COMPLETED', 'FAILED', 'MODERATED'])(
    `${count} lip-syncs that end ${'%s'} have the same log and result after any callbacks (seed ${seed})`,
    async (end) => {
      const given = fc.sample(callbacks, { numRuns: count, seed });
      const ids: string[] = [];
      for (const [n] of given.entries()) {
        const text = `[[never]] ${end} ${n}`;
        ids.push(idOf(await app.create({ video: { videoId: video }, text })));
      }
      // The one without callbacks.
      const text = `[[never]] ${end} and no callback`;
      const plain = idOf(await app.create({ video: { videoId: video }, text }));
      const jobs = await Promise.all([...ids, plain].map((id) => app.jobOf(id)));
      const callAll = (when: Callback['when']) =>
        Promise.all(
          given.flatMap((each, n) => {
            const [job, others] = [jobs[n], jobs.filter((_, at) => at !== n)];
            if (job === undefined) throw new Error('There is no such job.');
            return each
              .filter((callback) => callback.when === when)
              .map((callback) => call(job, others as Job[], callback));
          }),
        );
      await callAll('early');
      for (const id of [...ids, plain]) await app.waitForStatus(id, 'GENERATING');
      await Promise.all([callAll('due'), ...[...ids, plain].map((id) => app.finishJob(id, end))]);
      for (const id of [...ids, plain]) expect((await app.waitForEnd(id)).status).toBe(end);
      const outcome = await readOutcome(plain);
      expect(outcome.statuses).toEqual(['SUBMITTING', 'SUBMITTED', 'GENERATING', end]);
      const logs = await Promise.all(ids.map((id) => app.readEvents(id)));

      await callAll('late');
      // A new lip-sync reaches GENERATING only after the late callbacks were processed.
      const next = idOf(await app.create({ video: { videoId: video }, text: '[[never]] next' }));
      await app.waitForStatus(next, 'GENERATING');
      for (const [n, id] of ids.entries()) {
        expect(await readOutcome(id)).toEqual(outcome);
        expect(await app.readEvents(id)).toEqual(logs[n]);
      }
      await app.cancel(next);
    },
  );
});
