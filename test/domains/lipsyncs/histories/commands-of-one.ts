import { createCallbackHandler } from '../../../../src/domains/lipsyncs/reconcile/callbacks.ts';
import { type Outcome, outcomes } from '../../../support/fake-upstream/outcomes.ts';
import type { JobStatus } from '../../../support/fake-upstream/state.ts';
import { Command } from './commands.ts';
import type { ControlledApp } from './controlled-app.ts';
import { callBack, cancel, type Model, type ModelLipsync, settle } from './plain-model.ts';

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
    const own = world.upstream.jobOf(lipsync.id)?.id;
    const another = [...model.lipsyncs.values()].find(
      (each) => each.id !== lipsync.id && each.isAttached,
    );
    const hint = {
      itself: own ?? 'rubbish',
      another: world.upstream.jobOf(another?.id ?? '')?.id ?? 'rubbish',
      rubbish: 'user:7-pixverse:unknown@example.com-video:5',
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

const statusNumbers = {
  GENERATING: 10,
  COMPLETED: 1,
  FAILED: 8,
  MODERATED: 7,
} satisfies Record<string, JobStatus>;

export class MoveJob extends CommandOnOne {
  readonly name = 'MoveJob';
  readonly to: keyof typeof statusNumbers;
  constructor(n: number, to: MoveJob['to']) {
    super(n);
    this.to = to;
  }
  override isPossible({ upstream }: Model, { id }: ModelLipsync): boolean {
    const status = upstream.jobOf(id)?.status;
    return status === 5 || (status === 10 && this.to !== 'GENERATING');
  }
  async actOn({ id }: ModelLipsync, { upstream }: Model): Promise<void> {
    await upstream.jobOf(id)?.become(statusNumbers[this.to]);
  }
}

/** A held POST is answered. */
export class Answer extends CommandOnOne {
  readonly name = 'Answer';
  readonly outcome: Outcome;
  constructor(n: number, outcome: Outcome) {
    super(n);
    this.outcome = outcome;
  }
  override isPossible({ upstream }: Model, { id }: ModelLipsync): boolean {
    return (
      upstream.isHeld(id) && outcomes[this.outcome].created === (upstream.jobOf(id) !== undefined)
    );
  }
  async actOn(lipsync: ModelLipsync, model: Model, world: ControlledApp): Promise<void> {
    world.upstream.answerHeld(lipsync.id, this.outcome);
    await world.settle();
    if (lipsync.sender?.isAlive === true) settle(model, lipsync, this.outcome);
  }
}
