import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Database } from '../../../../src/database/connect.ts';
import { createJobs } from '../../../../src/database/jobs.ts';
import { cancelLipsync } from '../../../../src/domains/lipsyncs/cancel.ts';
import { createLipsync } from '../../../../src/domains/lipsyncs/create/create.ts';
import type { CreateInput } from '../../../../src/domains/lipsyncs/create/input.ts';
import type { LipsyncDependencies } from '../../../../src/domains/lipsyncs/dependencies.ts';
import { LogWatcher } from '../../../../src/domains/lipsyncs/progress/log-watcher.ts';
import { pollQueue } from '../../../../src/domains/lipsyncs/reconcile/poll-interval.ts';
import { type LipsyncEvent, readEvents } from '../../../../src/domains/lipsyncs/store/events.ts';
import { createUpstream } from '../../../../src/upstream/client.ts';
import { startTestApp, type TestApp } from '../../../support/app.ts';
import { silentLog } from '../../../support/database.ts';
import { type FakeUpstream, startFakeUpstream } from '../../../support/fake-upstream/server.ts';
import { createInstance, type RealInstance, type Wrap } from './instance.ts';
import { isEnd } from './plain-model.ts';

const email = 'model@example.com';
const sourceId = `user:7-pixverse:${email}-video:1`;
export const maxJobs = 2;

/** The real lip-sync slice over a real database. The test runs its background tasks and moves its clock. */
export class ControlledApp {
  readonly upstream: FakeUpstream;
  readonly watcher: LogWatcher;
  readonly db: Database;
  now: Date;
  instance: RealInstance;
  sourceKey = '';
  readonly #subscriptions = new Map<string, Promise<LipsyncEvent[]>>();
  #cancellations: { id: string; work: Promise<unknown> }[] = [];
  readonly #app: TestApp;
  readonly #jobs: ReturnType<typeof createJobs>;
  readonly #instances: RealInstance[] = [];
  #underWay = 0;

  private constructor(parts: { upstream: FakeUpstream; app: TestApp; now: Date }) {
    this.upstream = parts.upstream;
    this.#app = parts.app;
    this.now = parts.now;
    this.db = parts.app.app.db;
    this.#jobs = createJobs(this.db, silentLog);
    this.watcher = new LogWatcher(this.db, silentLog);
    this.instance = this.#newInstance();
  }

  static async open(): Promise<ControlledApp> {
    const clock = { world: null as ControlledApp | null };
    const now = () => new Date(clock.world?.now ?? Date.parse('2026-05-01T12:00:00Z'));
    const accounts = [{ email, maxJobs }];
    const upstream = await startFakeUpstream({ accounts, callbacks: 'none' }, { now });
    upstream.addVideo(email, { id: sourceId });
    const app = await startTestApp({
      upstream,
      now,
      env: { USEAPI_TOKEN: upstream.token, ALLOW_ANONYMOUS: 'true', POLL_INTERVAL_MS: '3600000' },
    });
    // From here on only the test runs background tasks.
    await app.app.services.lipsyncs.drain();
    const world = new ControlledApp({ upstream, app, now: now() });
    clock.world = world;
    await world.#jobs.start();
    await world.watcher.open();
    const { services } = app.app;
    await services.accounts.refresh();
    world.sourceKey = await services.videos.ids.toKey(sourceId);
    return world;
  }

  async close(): Promise<void> {
    await this.reset();
    await this.watcher.close();
    await this.#jobs.stop();
    await this.#app.stop();
    await this.upstream.close();
  }

  /** Restores the initial state, except the clock. */
  async reset(): Promise<void> {
    for (const each of this.#instances) kill(each);
    this.upstream.reset();
    this.upstream.addVideo(email, { id: sourceId });
    await this.settle();
    await this.settleCancellations(() => false);
    this.#instances.length = 0;
    await this.db.query('delete from lipsyncs');
    this.#subscriptions.clear();
    await this.db.query('delete from refusals');
    await this.db.query(`delete from pgboss.job where name = '${pollQueue}'`);
    await this.db.query('update accounts set paused_by = null, cooldown_until = null');
    this.now = new Date(this.now.getTime() + 86_400_000);
    this.instance = this.#newInstance();
  }

  /** A new process replaces the current one, which is dead or only considered dead. */
  replaceInstance({ isDead }: { isDead: boolean }): void {
    this.instance.isCurrent = false;
    if (isDead) kill(this.instance);
    this.instance = this.#newInstance();
  }

  /** Runs `work` in a process that cannot reach the upstream. */
  async withoutUpstream(work: (deps: LipsyncDependencies) => Promise<void>): Promise<void> {
    const { deps } = this.instance;
    const upstream = createUpstream({
      baseUrl: 'http://127.0.0.1:9/v2/pixverse',
      token: this.upstream.token,
      timeoutMs: 1_000,
      log: silentLog,
    });
    await work({ ...deps, upstream });
    await this.settle();
    await upstream.close();
  }

  /** Returns the id, also while the POST is held; null if the request was rejected. */
  async create(
    owner: string,
    input: Pick<CreateInput, 'mayWait' | 'expiresAt' | 'idempotencyKey'> & { text: string },
  ): Promise<string | null> {
    const { text, ...own } = input;
    const request = {
      owner,
      canSeeAll: true,
      input: {
        ...emptyInput,
        ...own,
        video: { key: this.sourceKey },
        speech: { text, voiceKey: undefined },
      },
    };
    void createLipsync(this.instance.creating, request).catch(() => null);
    await this.settle();
    const [row] = await this.db.query<{ id: string }>('select id from lipsyncs where text = $1', [
      text,
    ]);
    return row?.id ?? null;
  }

  /** Subscribes from the newest event on. */
  subscribe(id: string): void {
    this.#subscriptions.set(id, this.#collect(id, null));
  }

  async #collect(id: string, after: number | null): Promise<LipsyncEvent[]> {
    return Array.fromAsync(this.watcher.subscribe(id, after), ({ event }) => event);
  }

  /** Every subscription got all events up to the terminal one, and a resumed one gets a later event. */
  async expectCompleteStreams(): Promise<void> {
    for (const [id, collected] of this.#subscriptions) {
      const seen = await collected;
      const log = await readEvents(this.db, id, { after: 0 });
      // Deleted when its POST was rejected late.
      if (log.length === 0) continue;
      const late = await this.#collect(id, seen.at(-1)?.sequence ?? null);
      expect([...seen, ...late]).toEqual(log.slice((seen[0]?.sequence ?? 0) - 1));
      const ends = seen.filter(({ status }) => isEnd(status));
      expect(ends).toEqual([seen.at(-1)]);
    }
  }

  /** The counts that triggers keep are those of the queue. */
  async expectTrueCounts(): Promise<void> {
    const kept = await this.db.query(
      'select owner, waiting, never_sent from waiting_counts order by owner',
    );
    const counted = await this.db.query(
      `select owner, count(*)::int as waiting, (count(*) filter (where attempts = 0))::int as never_sent
       from lipsyncs where status = 'QUEUED' group by owner order by owner`,
    );
    expect(kept).toEqual(counted);
  }

  async cancel(owner: string, id: string): Promise<void> {
    const { deps } = this.instance;
    const work = cancelLipsync(deps, this.watcher, { owner, id }).catch(() => null);
    this.#cancellations.push({ id, work });
    await this.settle();
  }

  /** Resolves when nothing is under way except held POSTs and requests that wait for them. */
  async settle(): Promise<void> {
    for (let calm = 0; calm < 3; ) {
      await nextTurn();
      const isBusy = this.#underWay > 0 || this.#instances.some((each) => this.#isSending(each));
      calm = isBusy ? 0 : calm + 1;
    }
  }

  /** Waits for cancel requests whose POST has an outcome. */
  async settleCancellations(isPending: (id: string) => boolean): Promise<void> {
    const due = this.#cancellations.filter(({ id }) => !isPending(id));
    this.#cancellations = this.#cancellations.filter((each) => !due.includes(each));
    for (const { id } of due) await this.db.query("select pg_notify('lipsync_changed', $1)", [id]);
    await Promise.all(due.map(({ work }) => work));
    await this.settle();
  }

  #isSending({ deps }: RealInstance): boolean {
    return [...deps.submissions.keys()].some((id) => !this.upstream.isHeld(id));
  }

  #newInstance(): RealInstance {
    const counted: Wrap =
      (isAlive) =>
      (work) =>
      async (...args) => {
        if (!isAlive()) throw new Error('This process is dead.');
        this.#underWay += 1;
        try {
          return await work(...args);
        } finally {
          this.#underWay -= 1;
        }
      };
    const instance = createInstance({
      services: this.#app.app.services,
      db: this.db,
      jobs: this.#jobs,
      upstream: this.upstream,
      now: () => new Date(this.now),
      wrap: counted,
      watcher: this.watcher,
    });
    this.#instances.push(instance);
    return instance;
  }
}

function kill(instance: RealInstance): void {
  instance.isAlive = false;
  // Otherwise it would retry on a database that it never reaches again.
  instance.stopping.abort();
}

const emptyInput = {
  keepOriginalSound: null,
  offPeak: false,
  reference: null,
  callbackUrl: null,
  maxJobs: null,
};
