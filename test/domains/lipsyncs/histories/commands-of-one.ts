import { createCallbackHandler } from '../../../../src/domains/lipsyncs/reconcile/callbacks.ts';
import { Command } from './commands.ts';
import type { ControlledApp } from './controlled-app.ts';
import { callBack, cancel, type Model, type ModelLipsync, settle } from './plain-model.ts';
import { type JobState, type Outcome, outcomes } from './scripted-upstream.ts';

/** A command that acts on one lip-sync. */
abstract class CommandOnOne extends Command {
  readonly n: number;
  constructor(n: number) {
    super();
    this.n = n;
  }
  override check(model: Readonly<Model>): boolean {
    return this.#pick(model) !== undefined;
  }
  #pick(model: Model): ModelLipsync | undefined {
    const possible = [...model.lipsyncs.values()].filter((lipsync) =>
      this.isPossible(model, lipsync),
    );
    return possible[this.n % possible.length];
  }
  isPossible(_model: Model, _story: ModelLipsync): boolean {
    return true;
  }
  act(model: Model, world: ControlledApp): Promise<void> {
    const lipsync = this.#pick(model);
    if (lipsync === undefined) throw new Error('There is no such lip-sync.');
    return this.actOn(lipsync, model, world);
  }
  abstract actOn(lipsync: ModelLipsync, model: Model, world: ControlledApp): Promise<void>;
}

export class Cancel extends CommandOnOne {
  readonly name = 'Cancel';
  async actOn(lipsync: ModelLipsync, model: Model, world: ControlledApp): Promise<void> {
    await world.cancel(lipsync.owner, lipsync.id);
    cancel(model, lipsync);
  }
}

export class Callback extends CommandOnOne {
  readonly name = 'Callback';
  readonly names: 'itself' | 'another' | 'rubbish' | 'nothing';
  constructor(n: number, names: Callback['names']) {
    super(n);
    this.names = names;
  }
  async actOn(lipsync: ModelLipsync, model: Model, world: ControlledApp): Promise<void> {
    const own = world.upstream.jobs.get(lipsync.id)?.id;
    const another = [...model.lipsyncs.values()].find(
      (each) => each.id !== lipsync.id && each.isAttached,
    );
    const hint = {
      itself: own ?? 'rubbish',
      another: world.upstream.jobs.get(another?.id ?? '')?.id ?? 'rubbish',
      rubbish: 'user:7-pixverse:nobody@example.com-video:5',
      nothing: null,
    }[this.names];
    const handler = createCallbackHandler(world.instance.deps);
    await handler.onCallback(lipsync.id, hint);
    await handler.close();
    await world.settle();
    const kind = hint === null ? 'none' : 'rubbish';
    callBack(model, lipsync, hint !== null && hint === own ? 'its own' : kind);
  }
}

export class MoveJob extends CommandOnOne {
  readonly name = 'MoveJob';
  readonly to: JobState;
  constructor(n: number, to: JobState) {
    super(n);
    this.to = to;
  }
  override isPossible({ upstream }: Model, { id }: ModelLipsync): boolean {
    const job = upstream.jobs.get(id);
    return job?.state === 'QUEUED' || (job?.state === 'GENERATING' && this.to !== 'GENERATING');
  }
  async actOn({ id }: ModelLipsync, { upstream }: Model): Promise<void> {
    const job = upstream.jobs.get(id);
    if (job !== undefined) job.state = this.to;
  }
}

/** A hanging POST is answered. */
export class Answer extends CommandOnOne {
  readonly name = 'Answer';
  readonly outcome: Outcome;
  constructor(n: number, outcome: Outcome) {
    super(n);
    this.outcome = outcome;
  }
  override isPossible({ upstream }: Model, { id }: ModelLipsync): boolean {
    return upstream.isHeld(id) && outcomes[this.outcome].made === upstream.jobs.has(id);
  }
  async actOn(lipsync: ModelLipsync, model: Model, world: ControlledApp): Promise<void> {
    world.upstream.release(lipsync.id, this.outcome);
    await world.settle();
    if (lipsync.sender?.isAlive === true) settle(model, lipsync, this.outcome);
  }
}
