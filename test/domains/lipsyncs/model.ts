import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { keyOf } from '../../../src/graphql/ids.ts';
import type { Step } from './model.test.ts';
import { expectSoundLog, idOf, type Made, type Stage } from './stage.ts';

type Kind = 'plain' | 'refused' | 'found' | 'lost';

type Input = {
  video: { id: string };
  speech: { text: { text: string } };
  idempotencyKey: string;
  whenBusy: 'FAIL' | 'QUEUE';
  expiresAt: string | null;
};

/**
 * A lip-sync as the model thinks of it. `running` covers both statuses of what the upstream works on; `unknown` is one
 * that the upstream surely does not run, since it would be in its scheduler, and so it takes no room.
 */
type Model = {
  id: string;
  input: Input;
  kind: Kind;
  state: 'waiting' | 'running' | 'unknown' | 'ended';
  /** Once it has ended. */
  status: string | null;
  wasCancelledWhile: 'waiting' | 'running' | null;
  expiresAt: Date | null;
};

const room = 1;

/** In the sandbox, phrases make the upstream behave so. */
const phrases: Record<Kind, string> = {
  plain: '',
  refused: '[[422]] ',
  found: '[[no-id]] ',
  lost: '[[500]] ',
};

const statusesOf = ({ state, status }: Model): string[] => {
  if (state === 'waiting') return ['QUEUED'];
  if (state === 'unknown') return ['SUBMITTING'];
  return state === 'running' ? ['SUBMITTED', 'GENERATING'] : [status ?? ''];
};

/** The product, and beside it what a plain model of one owner and one account expects of it. */
export class World {
  /** Types of answers and statuses that came about. */
  readonly met = new Set<string>();
  readonly #all: Model[] = [];
  readonly #stage: Stage;
  readonly #video: string;

  constructor(stage: Stage, video: string) {
    this.#stage = stage;
    this.#video = video;
  }

  async take(step: Step): Promise<void> {
    if (step.do === 'create') return this.#create(step);
    if (step.do === 'pass') return this.#pass(step.minutes);
    if (step.do === 'finish') return this.#finish(step);
    const [model] = this.#pick(step.at, () => true);
    if (model === undefined) return;
    if (step.do === 'cancel') await this.#cancel(model);
    if (step.do === 'replay') await this.#replay(model, step.changesInput);
    if (step.do === 'lie')
      await this.#callBack(model, { video_status_name: 'COMPLETED', url: 'http://127.0.0.1:9/' });
  }

  /** Every lip-sync is where the model says, and the waiting ones in the model's order. */
  async expectSame(): Promise<void> {
    let place = 0;
    for (const model of this.#all) {
      const found = await this.#stage.find(model.id);
      expect(statusesOf(model), `${model.kind} ${model.id}`).toContain(found?.status);
      this.met.add(found?.status ?? '');
      if (model.state === 'waiting') place += 1;
      expect(found?.progress.queuePosition).toBe(model.state === 'waiting' ? place : null);
    }
    // One whose POST had no answer takes room until it has been looked for.
    const [held] = await this.#stage.test.app.db.query<{ count: number }>(
      'select count(*)::int as count from lipsyncs where holds_slot',
    );
    expect(held?.count).toBe(this.#all.filter(({ state }) => state === 'running').length);
  }

  async expectSoundLogs(): Promise<void> {
    for (const { id, state, status } of this.#all) {
      const events = await this.#stage.events(id);
      expectSoundLog(events);
      expect([state, events.at(-1)?.status]).toEqual(['ended', status]);
      expect((await this.#stage.postsOf(id)).length).toBeLessThanOrEqual(1);
    }
  }

  /** Ends what is left, so that the next story finds all room free. */
  async clear(): Promise<void> {
    for (const model of this.#all.filter(({ state }) => state === 'waiting'))
      await this.#cancel(model);
    for (const model of this.#all.filter(({ state }) => state !== 'ended'))
      await this.#cancel(model);
    await this.#stage.test.finishJobs('FAILED');
  }

  #pick(at: number, fits: (model: Model) => boolean): Model[] {
    const fitting = this.#all.filter(fits);
    return fitting.slice(at % Math.max(1, fitting.length));
  }

  #isBusy(): boolean {
    const taken = this.#all.filter(({ state }) => state === 'running');
    return taken.length >= room || this.#all.some(({ state }) => state === 'waiting');
  }

  async #create(step: Extract<Step, { do: 'create' }>): Promise<void> {
    const key = randomUUID();
    const isBusy = this.#isBusy();
    const expiresAt = step.expires
      ? new Date(Date.now() + this.#stage.clock.aheadMs + 10 * 60_000)
      : null;
    const kind = step.kind as Kind;
    const input: Input = {
      video: { id: this.#video },
      speech: { text: { text: `${phrases[kind]}${key}` } },
      idempotencyKey: key,
      whenBusy: step.failsWhenBusy ? 'FAIL' : 'QUEUE',
      expiresAt: expiresAt?.toISOString() ?? null,
    };
    const made = await this.#stage.create(input);
    this.met.add(made.__typename);
    expect(made.__typename).toBe(expectedAnswer(kind, isBusy, step.failsWhenBusy));
    if (made.lipsync === undefined) return;
    const model: Model = {
      ...{ id: idOf(made), input, kind, expiresAt },
      ...{ state: 'waiting', status: null, wasCancelledWhile: null },
    };
    this.#all.push(model);
    this.#dispatch();
  }

  /** What waits goes out in its order, as far as there is room. */
  #dispatch(): void {
    for (const model of this.#all) {
      const taken = this.#all.filter(({ state }) => state === 'running');
      if (taken.length >= room) return;
      if (model.state !== 'waiting') continue;
      if (model.kind === 'refused') this.#end(model, 'MODERATED');
      else model.state = model.kind === 'lost' ? 'unknown' : 'running';
    }
  }

  #end(model: Model, status: string): void {
    model.state = 'ended';
    model.status = status;
  }

  async #replay({ input, id }: Model, changesInput: boolean): Promise<void> {
    const text = `${input.speech.text.text}${changesInput ? ' else' : ''}`;
    const again = await this.#stage.create({ ...input, speech: { text: { text } } });
    this.met.add(again.__typename);
    if (changesInput) expect(again.__typename).toBe('IdempotencyConflictError');
    else expect(idOf(again)).toBe(id);
    if (again.__typename === 'CreateLipsyncSuccess') expect(again.replayed).toBe(true);
  }

  async #cancel(model: Model): Promise<void> {
    const was = model.state;
    const answer: Made = await this.#stage.cancel(model.id);
    this.met.add(answer.__typename);
    if (was === 'ended') {
      const again = { waiting: 'LipsyncCancelled', running: 'LipsyncTrackingStopped' };
      const expected =
        model.wasCancelledWhile === null
          ? 'LipsyncAlreadyFinished'
          : again[model.wasCancelledWhile];
      expect(answer.__typename).toBe(expected);
      return;
    }
    expect(answer.__typename).toBe(
      was === 'waiting' ? 'LipsyncCancelled' : 'LipsyncTrackingStopped',
    );
    model.wasCancelledWhile = was === 'waiting' ? 'waiting' : 'running';
    this.#end(model, 'CANCELLED');
    this.#dispatch();
  }

  async #finish({ at, as, callbacks }: Extract<Step, { do: 'finish' }>): Promise<void> {
    const [model] = this.#pick(at, ({ state }) => state === 'running');
    if (model === undefined) return;
    await this.#stage.finish(model.id, as);
    const body =
      callbacks === 'with lies' ? { video_status_name: 'FAILED', url: 'http://127.0.0.1:9/' } : {};
    const times = callbacks === 'two at once' ? 2 : 1;
    await Promise.all(Array.from({ length: times }, () => this.#callBack(model, body)));
    this.#end(model, as);
    this.#dispatch();
  }

  async #callBack({ id }: Model, body: object): Promise<void> {
    const job = await this.#stage.jobOf(id);
    if (job === undefined) return;
    const answer = await fetch(job.replyUrl, {
      method: 'POST',
      body: JSON.stringify({ video_id: job.video_id, replyRef: keyOf('Lipsync', id), ...body }),
    });
    expect(answer.status).toBe(200);
  }

  async #pass(minutes: number): Promise<void> {
    this.#stage.clock.aheadMs += minutes * 60_000;
    const now = Date.now() + this.#stage.clock.aheadMs;
    for (const model of this.#all) {
      if (model.state !== 'waiting' || (model.expiresAt?.getTime() ?? Infinity) > now) continue;
      this.#end(model, 'EXPIRED');
    }
    await this.#stage.test.app.db.query("select pg_notify('queue_changed', '')");
  }
}

function expectedAnswer(kind: Kind, isBusy: boolean, failsWhenBusy: boolean): string {
  if (isBusy) return failsWhenBusy ? 'RateLimitedError' : 'CreateLipsyncSuccess';
  if (kind === 'refused') return 'ContentModeratedError';
  return kind === 'lost' || kind === 'found' ? 'OutcomeUnknownError' : 'CreateLipsyncSuccess';
}
