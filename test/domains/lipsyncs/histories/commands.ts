import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type fc from 'fast-check';
import { expect } from 'vitest';
import { expireDue } from '../../../../src/domains/lipsyncs/dispatch/expiry.ts';
import { dispatch } from '../../../../src/domains/lipsyncs/dispatch/submit.ts';
import { takeOver } from '../../../../src/domains/lipsyncs/dispatch/takeover.ts';
import {
  reconcileAccount,
  reconcileLipsync,
} from '../../../../src/domains/lipsyncs/reconcile/find-job.ts';
import {
  createGiveUp,
  freeAbandonedSlots,
} from '../../../../src/domains/lipsyncs/reconcile/give-up.ts';
import { claim, lookAtAll, type Model, newStory, type Story, settle, tick } from './plain-model.ts';
import { expectRules } from './rules.ts';
import type { Outcome } from './scripted-upstream.ts';
import type { World } from './world.ts';

/** What each command does to the real thing and to the model; afterwards both must say the same. */
export abstract class Command implements fc.AsyncCommand<Model, World> {
  abstract readonly name: string;
  check(_: Readonly<Model>): boolean {
    return true;
  }
  abstract act(model: Model, world: World): Promise<void>;

  async run(model: Model, world: World): Promise<void> {
    await this.act(model, world);
    await world.settleCancellations((id) => isWaitedFor(model.stories.get(id)));
    await expectRules(model, world);
  }
  toString(): string {
    const { name, ...given } = this as Record<string, unknown>;
    return `${name}(${JSON.stringify(given)})`;
  }
}

/** Whether its cancellation waits for the answer of a POST, or for somebody to find that there was none. */
function isWaitedFor(story: Story | undefined): boolean {
  return story?.claim != null && story.cancelledBy?.isAlive === true;
}

export type CreateSpec = {
  owner: string;
  mayWait: boolean;
  script: Outcome[];
  expiresInMs: number | null;
};
let created = 0;

export class Create extends Command {
  readonly name = 'Create';
  readonly spec: CreateSpec;
  constructor(spec: CreateSpec) {
    super();
    this.spec = spec;
  }
  async act(model: Model, world: World): Promise<void> {
    const { owner, mayWait, script, expiresInMs } = this.spec;
    created += 1;
    const text = `Number ${created}`;
    const expiresAt = expiresInMs === null ? null : new Date(model.now + expiresInMs);
    world.upstream.scripts.set(text, [...script]);
    const before = world.upstream.posts.length;
    const input = { text, mayWait, expiresAt, idempotencyKey: text };
    const id = await world.create(owner, input);
    const [post, ...others] = world.upstream.posts.slice(before);
    expect(others).toEqual([]);
    const story = newStory(post?.replyRef ?? id ?? '', owner, expiresAt?.getTime() ?? null);
    model.stories.set(story.id, story);
    if (post === undefined) {
      // There was no room.
      expect(id !== null).toBe(mayWait);
      if (!mayWait) model.stories.delete(story.id);
    } else {
      claim(model, story, { isPosting: true, answers: { mayWait } });
      settle(model, story, post.outcome);
    }
    if (id !== null && story.claim === null) await this.#repeat(world, input);
    if (id !== null) world.follow(id);
  }

  /** Asking again with the same key makes nothing. */
  async #repeat(world: World, input: Parameters<World['create']>[1]): Promise<void> {
    const before = world.upstream.posts.length;
    await world.create(this.spec.owner, input);
    expect(world.upstream.posts.length).toBe(before);
  }
}

function expectSent(model: Model, world: World, before: number): void {
  for (const { replyRef, outcome } of world.upstream.posts.slice(before)) {
    const story = model.stories.get(replyRef);
    if (story === undefined) throw new Error('A POST of nothing that there is.');
    expect([story.status, (story.expiresAt ?? Number.POSITIVE_INFINITY) > model.now]).toEqual([
      'QUEUED',
      true,
    ]);
    claim(model, story, { isPosting: true, answers: null });
    settle(model, story, outcome);
  }
}

export class Dispatch extends Command {
  readonly name = 'Dispatch';
  async act(model: Model, world: World): Promise<void> {
    const before = world.upstream.posts.length;
    await dispatch(world.instance.engine, () => false);
    await world.settle();
    expectSent(model, world, before);
  }
}

/** No byte of any POST leaves: all is as before. */
export class DispatchIntoTheVoid extends Command {
  readonly name = 'DispatchIntoTheVoid';
  async act(_: Model, world: World): Promise<void> {
    const before = world.upstream.posts.length;
    await world.withoutUpstream((engine) => dispatch(engine, () => false));
    expect(world.upstream.posts.length).toBe(before);
  }
}

/** The process claims one, and dies before it sends it. */
export class DispatchAndDie extends Command {
  readonly name = 'DispatchAndDie';
  async act(model: Model, world: World): Promise<void> {
    const { engine } = world.instance;
    const die = () => world.replaceInstance({ isDead: true });
    subscribe('lipsync:row-written', die);
    // Its next claim meets a dead process.
    await dispatch(engine, () => false).catch(() => undefined);
    unsubscribe('lipsync:row-written', die);
    await world.settle();
    const rows = await world.db.query<{ id: string }>(
      "select id from lipsyncs where status = 'SUBMITTING'",
    );
    for (const { id } of rows) {
      const story = model.stories.get(id);
      if (story?.status === 'QUEUED') claim(model, story, { isPosting: false, answers: null });
    }
    model.instance = world.instance;
  }
}

export class Crash extends Command {
  readonly name = 'Crash';
  readonly how: 'alone' | 'beside others' | 'only thought to be dead';
  constructor(how: Crash['how']) {
    super();
    this.how = how;
  }
  async act(model: Model, world: World): Promise<void> {
    world.replaceInstance({ isDead: this.how !== 'only thought to be dead' });
    model.instance = world.instance;
    // The embedded database has no other process: what was claimed there is nobody's at the next start.
    if (this.how === 'alone') await passTick(model, world, true);
  }
}

async function passTick(model: Model, world: World, areLeasesVoid: boolean): Promise<void> {
  const { engine } = world.instance;
  await expireDue(engine);
  for (const id of await takeOver(engine, { areLeasesVoid }))
    await reconcileLipsync(engine, id, 'POLL');
  await world.settle();
  await createGiveUp(engine)();
  await freeAbandonedSlots(engine);
  await engine.accounts.probeDue();
  await world.settle();
  tick(model, areLeasesVoid);
}

export class Tick extends Command {
  readonly name = 'Tick';
  async act(model: Model, world: World): Promise<void> {
    await passTick(model, world, false);
  }
}

export class Poll extends Command {
  readonly name = 'Poll';
  async act(model: Model, world: World): Promise<void> {
    const [account] = await world.db.query<{ id: string }>('select id from accounts');
    await reconcileAccount(world.instance.engine, account?.id ?? '');
    lookAtAll(model);
  }
}

export class Wait extends Command {
  readonly name = 'Wait';
  readonly ms: number;
  constructor(ms: number) {
    super();
    this.ms = ms;
  }
  async act(model: Model, world: World): Promise<void> {
    world.now = new Date(world.now.getTime() + this.ms);
    model.now = world.now.getTime();
  }
}
