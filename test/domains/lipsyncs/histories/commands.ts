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
import type { Outcome } from '../../../support/fake-upstream/outcomes.ts';
import type { ControlledApp } from './controlled-app.ts';
import {
  claim,
  type Model,
  type ModelLipsync,
  newLipsync,
  reconcileAll,
  settle,
  tick,
} from './plain-model.ts';
import { expectRules } from './rules.ts';

/** Each command acts on the real slice and on the model; afterwards both must be equal. */
export abstract class Command implements fc.AsyncCommand<Model, ControlledApp> {
  abstract readonly name: string;
  check(_: Readonly<Model>): boolean {
    return true;
  }
  abstract act(model: Model, world: ControlledApp): Promise<void>;

  async run(model: Model, world: ControlledApp): Promise<void> {
    await this.act(model, world);
    await world.settleCancellations((id) => isCancelPending(model.lipsyncs.get(id)));
    await expectRules(model, world);
  }
  toString(): string {
    const { name, ...given } = this as Record<string, unknown>;
    return `${name}(${JSON.stringify(given)})`;
  }
}

/** Whether its cancel request waits for the answer of a POST, or for a takeover. */
function isCancelPending(lipsync: ModelLipsync | undefined): boolean {
  return lipsync?.claim != null && lipsync.cancelledBy?.isAlive === true;
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
  async act(model: Model, world: ControlledApp): Promise<void> {
    const { owner, mayWait, script, expiresInMs } = this.spec;
    created += 1;
    const text = `Number ${created}`;
    const expiresAt = expiresInMs === null ? null : new Date(model.now + expiresInMs);
    world.upstream.script(text, script);
    const before = world.upstream.posts.length;
    const input = { text, mayWait, expiresAt, idempotencyKey: text };
    const id = await world.create(owner, input);
    const [post, ...others] = world.upstream.posts.slice(before);
    expect(others).toEqual([]);
    const lipsync = newLipsync(post?.replyRef ?? id ?? '', owner, expiresAt?.getTime() ?? null);
    model.lipsyncs.set(lipsync.id, lipsync);
    if (post === undefined) {
      // No slot was free.
      expect(id !== null).toBe(mayWait);
      if (!mayWait) model.lipsyncs.delete(lipsync.id);
    } else {
      claim(model, lipsync, { isPosting: true, answers: { mayWait } });
      settle(model, lipsync, post.outcome);
    }
    if (id !== null && lipsync.claim === null) await this.#repeat(world, input);
    if (id !== null) world.subscribe(id);
  }

  /** Repeating the request with the same key creates nothing. */
  async #repeat(
    world: ControlledApp,
    input: Parameters<ControlledApp['create']>[1],
  ): Promise<void> {
    const before = world.upstream.posts.length;
    await world.create(this.spec.owner, input);
    expect(world.upstream.posts.length).toBe(before);
  }
}

function expectSent(model: Model, world: ControlledApp, before: number): void {
  for (const { replyRef, outcome } of world.upstream.posts.slice(before)) {
    const lipsync = model.lipsyncs.get(replyRef);
    if (lipsync === undefined) throw new Error('A POST of an unknown lip-sync.');
    expect([lipsync.status, (lipsync.expiresAt ?? Number.POSITIVE_INFINITY) > model.now]).toEqual([
      'QUEUED',
      true,
    ]);
    claim(model, lipsync, { isPosting: true, answers: null });
    settle(model, lipsync, outcome);
  }
}

export class Dispatch extends Command {
  readonly name = 'Dispatch';
  async act(model: Model, world: ControlledApp): Promise<void> {
    const before = world.upstream.posts.length;
    await dispatch(world.instance.deps, () => false);
    await world.settle();
    expectSent(model, world, before);
  }
}

/** No byte of a POST can be sent, so nothing changes. */
export class DispatchWithoutUpstream extends Command {
  readonly name = 'DispatchIntoTheVoid';
  async act(_: Model, world: ControlledApp): Promise<void> {
    const before = world.upstream.posts.length;
    await world.withoutUpstream((deps) => dispatch(deps, () => false));
    expect(world.upstream.posts.length).toBe(before);
  }
}

/** The process claims a lip-sync and dies before the POST. */
export class DispatchAndDie extends Command {
  readonly name = 'DispatchAndDie';
  async act(model: Model, world: ControlledApp): Promise<void> {
    const { deps } = world.instance;
    const die = () => world.replaceInstance({ isDead: true });
    subscribe('lipsync:row-written', die);
    // The next claim fails, because the process is dead.
    await dispatch(deps, () => false).catch(() => undefined);
    unsubscribe('lipsync:row-written', die);
    await world.settle();
    const rows = await world.db.query<{ id: string }>(
      "select id from lipsyncs where status = 'SUBMITTING'",
    );
    for (const { id } of rows) {
      const lipsync = model.lipsyncs.get(id);
      if (lipsync?.status === 'QUEUED') claim(model, lipsync, { isPosting: false, answers: null });
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
  async act(model: Model, world: ControlledApp): Promise<void> {
    world.replaceInstance({ isDead: this.how !== 'only thought to be dead' });
    model.instance = world.instance;
    // At startup on the embedded database all leases are void: no other process can hold one.
    if (this.how === 'alone') await passTick(model, world, true);
  }
}

async function passTick(model: Model, world: ControlledApp, areLeasesVoid: boolean): Promise<void> {
  const { deps } = world.instance;
  await expireDue(deps);
  for (const id of await takeOver(deps, { areLeasesVoid }))
    await reconcileLipsync(deps, id, 'POLL');
  await world.settle();
  await createGiveUp(deps)();
  await freeAbandonedSlots(deps);
  await deps.accounts.probeDue();
  await world.settle();
  tick(model, areLeasesVoid);
}

export class Tick extends Command {
  readonly name = 'Tick';
  async act(model: Model, world: ControlledApp): Promise<void> {
    await passTick(model, world, false);
  }
}

export class Poll extends Command {
  readonly name = 'Poll';
  async act(model: Model, world: ControlledApp): Promise<void> {
    const [account] = await world.db.query<{ id: string }>('select id from accounts');
    await reconcileAccount(world.instance.deps, account?.id ?? '');
    reconcileAll(model);
  }
}

export class Wait extends Command {
  readonly name = 'Wait';
  readonly ms: number;
  constructor(ms: number) {
    super();
    this.ms = ms;
  }
  async act(model: Model, world: ControlledApp): Promise<void> {
    world.now = new Date(world.now.getTime() + this.ms);
    model.now = world.now.getTime();
  }
}
