import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../src/graphql/ids.ts';
import { apiKeys, signInAs, terminalStatuses } from '../../support/lipsync-app.ts';
import type { CreateLipsyncResult } from '../../support/lipsyncs.ts';
import { cheapEnd, type Fleet, type Instance, openFleet, type Request, studio } from './fleet.ts';

const owners = ['ann', 'bob', 'cat'];
const hour = 3_600_000;
const slots = 2;
const patient = { timeout: 60_000, interval: 150 };

let fleet: Fleet;
let instances: [Instance, Instance];
let video: string;
beforeEach(async () => {
  // The clock jumps by half a minute: leases and jobs must outlast that.
  const env = { UPSTREAM_TIMEOUT_MS: String(hour), MAX_JOB_MS: String(100 * hour) };
  fleet = await openFleet({
    env: { ...env, API_KEYS: apiKeys(...owners) },
    sandbox: { accounts: [{ email: studio, maxJobs: slots }] },
  });
  instances = [await fleet.start(), await fleet.start()];
  video = await instances[0].source(signInAs('cat'));
  await fleet.turn({ callbacks: 'final-only', ...cheapEnd });
});
afterEach(() => fleet.stop());

async function ask(owner: string, count: number): Promise<CreateLipsyncResult[]> {
  const made = await Promise.all(
    Array.from({ length: count }, (_, n) => {
      const input = { video: { videoId: video }, speech: { script: { text: `${owner} ${n}` } } };
      return instances[n % 2 === 0 ? 0 : 1].create(input, signInAs(owner));
    }),
  );
  expect(new Set(made.map(({ __typename }) => __typename))).toEqual(
    new Set(['CreateLipsyncSuccess']),
  );
  return made;
}

/** Copies an owner's last waiting lip-sync this many times, ten times faster than requests would. */
async function repeat(owner: string, count: number): Promise<void> {
  const { db } = instances[0].app;
  await db.transaction(async (tx) => {
    await tx.query(
      `insert into lipsyncs overriding user value
       select (jsonb_populate_record(last.lipsync, jsonb_build_object('id', gen_random_uuid(),
         'logged_position', last.position + n))).*
       from generate_series(1, $2::int) n, (
         select lipsyncs as lipsync, logged_position as position from lipsyncs
         where owner = $1 order by queue_order desc limit 1) last
       order by n`,
      [`key:${owner}`, count],
    );
    await tx.query(
      `insert into lipsync_events (lipsync_id, sequence, status, percent, queue_position, source, occurred_at)
       select id, sequence, status, 0, logged_position, 'GATEWAY', created_at from lipsyncs
       where owner = $1 and id not in (select lipsync_id from lipsync_events)`,
      [`key:${owner}`],
    );
  });
}

/** A job on the same account that was not created by this server. */
async function occupyOne(): Promise<void> {
  const { baseUrl, token } = fleet.sandbox;
  const key = keyOf('Video', video) ?? '';
  const videoId = await instances[0].app.services.videos.ids.toUpstream(key);
  const response = await fetch(`${baseUrl}/videos/lipsync`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ video_id: videoId, prompt: '[[never]] stranger' }),
  });
  expect(response.status).toBe(200);
}

const ownerOf = ({ body }: Request) => String(body?.prompt).split(' ')[0] ?? '';

const countRefused = async () =>
  (await fleet.posts()).filter(({ status }) => status === 429).length;

const storms = [
  {
    name: 'as the first POST of six half minutes in a row is refused',
    begin: async () => {
      // A lip-sync with a queue position might overtake while the answer is on its way.
      await fleet.turn({ delayMs: 200 });
      for (const before of [1, 2, 3, 4, 5, 6]) {
        await fleet.turn({ statusNext: [429] });
        await vi.waitFor(async () => {
          await fleet.pass(31_000);
          expect(await countRefused()).toBeGreaterThan(before);
        }, patient);
      }
      await fleet.turn({ delayMs: null });
    },
  },
  {
    name: 'while the account has unknown jobs and answers 429 to every second POST',
    begin: async () => {
      // Otherwise the server would know the job.
      const path = '/scheduler/available';
      await fleet.turn({ failPath: { path, status: 503, times: 100_000 } });
      await occupyOne();
    },
  },
];

describe('works', () => {
  it.each(storms)(
    'a thousand waiting lip-syncs of one owner delay the first of another owner by one job per slot, also during many 429, $name',
    async ({ begin }) => {
      // Answered 429, so that everything waits for half a minute.
      const headers = { 'retry-after': '30' };
      await fleet.turn({ failPath: { path: '/videos/lipsync', status: 429, headers } });
      await ask('bob', 1);
      await ask('ann', 4);
      await repeat('ann', 995);
      const [last] = await ask('ann', 1);
      expect(last?.lipsync?.progress.queuePosition).toBe(1_000);
      await ask('bob', 9);
      await ask('cat', 1);
      await begin();
      await vi.waitFor(async () => {
        await fleet.pass(31_000);
        for (const owner of ['bob', 'cat']) {
          for (const { status } of await instances[1].list(signInAs(owner))) {
            expect(terminalStatuses).toContain(status);
          }
        }
      }, patient);
      const posts = (await fleet.posts()).filter((post) => post.body?.replyRef !== undefined);
      expect(await countRefused()).toBeGreaterThan(6);
      const sent = posts.map(ownerOf);
      for (const owner of ['bob', 'cat']) {
        const ahead = posts.slice(0, sent.indexOf(owner)).filter((post) => ownerOf(post) === 'ann');
        expect(new Set(ahead.map(({ body }) => body?.replyRef)).size).toBeLessThanOrEqual(slots);
      }
      const taken = posts.filter(({ status }) => status === 200).map(ownerOf);
      const aheadOf = (at: number) => taken.slice(0, at).filter((owner) => owner === 'ann').length;
      // Bob's POST was answered 429 first, and he keeps his turn.
      expect(taken[0]).toBe('bob');
      expect(aheadOf(taken.indexOf('cat'))).toBeLessThanOrEqual(slots);
      // Ann's backlog delays each of Bob's next lip-syncs by no more than `slots`, and Ann's own lip-syncs advance too.
      const share = aheadOf(taken.lastIndexOf('bob'));
      expect(share).toBeLessThanOrEqual(11 * slots);
      expect(share).toBeGreaterThanOrEqual(5);
      expect((await fleet.accounts())[studio]?.highWater).toBe(slots);
    },
  );
});
