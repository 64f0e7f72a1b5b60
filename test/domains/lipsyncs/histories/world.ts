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
import { createInstance, type RealInstance, type Wrap } from './instance.ts';
import { isEnd } from './plain-model.ts';
import { ScriptedUpstream, sourceId } from './scripted-upstream.ts';

const token = 'user:7-scripted';

/** The real thing: the lip-sync slice over a real database, moved by hand, with a clock that stands still. */
export class World {
  readonly upstream: ScriptedUpstream;
  readonly watch: LogWatcher;
  readonly db: Database;
  now: Date;
  instance: RealInstance;
  sourceKey = '';
  readonly #followed = new Map<string, Promise<LipsyncEvent[]>>();
  #cancellations: { id: string; work: Promise<unknown> }[] = [];
  readonly #app: TestApp;
  readonly #jobs: ReturnType<typeof createJobs>;
  readonly #instances: RealInstance[] = [];
  #underWay = 0;

  private constructor(parts: { upstream: ScriptedUpstream; app: TestApp; now: Date }) {
    this.upstream = parts.upstream;
    this.#app = parts.app;
    this.now = parts.now;
    this.db = parts.app.app.db;
    this.#jobs = createJobs(this.db, silentLog);
    this.watch = new LogWatcher(this.db, silentLog);
    this.instance = this.#newInstance();
  }

  static async open(): Promise<World> {
    const clock = { world: null as World | null };
    const now = () => new Date(clock.world?.now ?? Date.parse('2026-05-01T12:00:00Z'));
    const upstream = new ScriptedUpstream(now);
    await upstream.open();
    const app = await startTestApp({
      upstream: { baseUrl: upstream.baseUrl, token },
      now,
      env: { USEAPI_TOKEN: token, ALLOW_ANONYMOUS: 'true', POLL_INTERVAL_MS: '3600000' },
    });
    // From here on nothing moves but what this world moves.
    await app.app.services.lipsyncs.drain();
    const world = new World({ upstream, app, now: now() });
    clock.world = world;
    await world.#jobs.start();
    await world.watch.open();
    const { videos, accounts } = app.app.services;
    await accounts.refresh();
    world.sourceKey = await videos.ids.toKey(sourceId);
    return world;
  }

  async close(): Promise<void> {
    await this.reset();
    await this.watch.close();
    await this.#jobs.stop();
    await this.#app.stop();
    await this.upstream.close();
  }

  /** As on the first day, but for the clock. */
  async reset(): Promise<void> {
    for (const each of this.#instances) kill(each);
    this.upstream.reset();
    await this.settle();
    await this.settleCancellations(() => false);
    this.#instances.length = 0;
    await this.db.query('delete from lipsyncs');
    this.#followed.clear();
    await this.db.query('delete from refusals');
    await this.db.query(`delete from pgboss.job where name = '${pollQueue}'`);
    await this.db.query('update accounts set paused_by = null, cooldown_until = null');
    this.now = new Date(this.now.getTime() + 86_400_000);
    this.instance = this.#newInstance();
  }

  /** Another process takes the place of this one, which is dead, or only thought to be. */
  replaceInstance({ isDead }: { isDead: boolean }): void {
    this.instance.isCurrent = false;
    if (isDead) kill(this.instance);
    this.instance = this.#newInstance();
  }

  /** A process to which the upstream is not there. */
  async withoutUpstream(work: (engine: LipsyncDependencies) => Promise<void>): Promise<void> {
    const { engine } = this.instance;
    const upstream = createUpstream({
      ...{ baseUrl: 'http://127.0.0.1:9/v2/pixverse', token, timeoutMs: 1_000, log: silentLog },
    });
    await work({ ...engine, upstream });
    await this.settle();
    await upstream.close();
  }

  /** The id where one was made, also where its POST hangs; null where it was refused. */
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
    void createLipsync(this.instance.engine, this.watch, request).catch(() => null);
    await this.settle();
    const [row] = await this.db.query<{ id: string }>('select id from lipsyncs where text = $1', [
      text,
    ]);
    return row?.id ?? null;
  }

  /** Somebody watches it from its beginning. */
  follow(id: string): void {
    this.#followed.set(id, this.#collect(id, null));
  }

  async #collect(id: string, after: number | null): Promise<LipsyncEvent[]> {
    return Array.fromAsync(this.watch.subscribe(id, after), ({ event }) => event);
  }

  /** That whoever watched saw every event up to the end, and who comes back after it what came later. */
  async expectFollowed(): Promise<void> {
    for (const [id, collected] of this.#followed) {
      const seen = await collected;
      const log = await readEvents(this.db, id, { after: 0 });
      // Refused at last by the answer of its POST, it has left nothing.
      if (log.length === 0) continue;
      const late = await this.#collect(id, seen.at(-1)?.sequence ?? null);
      expect([...seen, ...late]).toEqual(log.slice((seen[0]?.sequence ?? 0) - 1));
      const ends = seen.filter(({ status }) => isEnd(status));
      expect(ends).toEqual([seen.at(-1)]);
    }
  }

  async cancel(owner: string, id: string): Promise<void> {
    const { engine } = this.instance;
    const work = cancelLipsync(engine, this.watch, { owner, id }).catch(() => null);
    this.#cancellations.push({ id, work });
    await this.settle();
  }

  /** Once nothing is under way any more, but for POSTs that hang and those who wait for them. */
  async settle(): Promise<void> {
    for (let calm = 0; calm < 3; ) {
      await nextTurn();
      const isBusy = this.#underWay > 0 || this.#instances.some((each) => this.#isSending(each));
      calm = isBusy ? 0 : calm + 1;
    }
  }

  /** Who cancelled while a POST was under way waits for a word of it: so do we, where there is one. */
  async settleCancellations(isPending: (id: string) => boolean): Promise<void> {
    const due = this.#cancellations.filter(({ id }) => !isPending(id));
    this.#cancellations = this.#cancellations.filter((each) => !due.includes(each));
    for (const { id } of due) await this.db.query("select pg_notify('lipsync_changed', $1)", [id]);
    await Promise.all(due.map(({ work }) => work));
    await this.settle();
  }

  #isSending({ engine }: RealInstance): boolean {
    return [...engine.submissions.keys()].some((id) => !this.upstream.isHeld(id));
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
      upstream: { baseUrl: this.upstream.baseUrl, token },
      now: () => new Date(this.now),
      wrap: counted,
    });
    this.#instances.push(instance);
    return instance;
  }
}

function kill(instance: RealInstance): void {
  instance.isAlive = false;
  // Else it would wait for a database that it never reaches again.
  instance.stopping.abort();
}

const emptyInput = {
  keepOriginalSound: null,
  offPeak: false,
  reference: null,
  callbackUrl: null,
  maxJobs: null,
};
