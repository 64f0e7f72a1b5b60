import { createCallbackHandler } from '../../../../src/domains/lipsyncs/reconcile/callbacks.ts';
import { Command } from './commands.ts';
import { callBack, cancel, type Model, type Story, settle } from './plain-model.ts';
import { type JobState, type Outcome, outcomes } from './scripted-upstream.ts';
import type { World } from './world.ts';

/** Of one lip-sync. */
abstract class OfOne extends Command {
  readonly n: number;
  constructor(n: number) {
    super();
    this.n = n;
  }
  override check(model: Readonly<Model>): boolean {
    return this.#pick(model) !== undefined;
  }
  #pick(model: Model): Story | undefined {
    const possible = [...model.stories.values()].filter((story) => this.isPossible(model, story));
    return possible[this.n % possible.length];
  }
  isPossible(_model: Model, _story: Story): boolean {
    return true;
  }
  act(model: Model, world: World): Promise<void> {
    const story = this.#pick(model);
    if (story === undefined) throw new Error('There is none.');
    return this.actOn(story, model, world);
  }
  abstract actOn(story: Story, model: Model, world: World): Promise<void>;
}

export class Cancel extends OfOne {
  readonly name = 'Cancel';
  async actOn(story: Story, model: Model, world: World): Promise<void> {
    await world.cancel(story.owner, story.id);
    cancel(model, story);
  }
}

export class Callback extends OfOne {
  readonly name = 'Callback';
  readonly names: 'itself' | 'another' | 'rubbish' | 'nothing';
  constructor(n: number, names: Callback['names']) {
    super(n);
    this.names = names;
  }
  async actOn(story: Story, model: Model, world: World): Promise<void> {
    const own = world.upstream.jobs.get(story.id)?.id;
    const another = [...model.stories.values()].find(
      (each) => each.id !== story.id && each.isAttached,
    );
    const hint = {
      itself: own ?? 'rubbish',
      another: world.upstream.jobs.get(another?.id ?? '')?.id ?? 'rubbish',
      rubbish: 'user:7-pixverse:nobody@example.com-video:5',
      nothing: null,
    }[this.names];
    const listener = createCallbackHandler(world.instance.engine);
    await listener.onCallback(story.id, hint);
    await listener.close();
    await world.settle();
    const kind = hint === null ? 'none' : 'rubbish';
    callBack(model, story, hint !== null && hint === own ? 'its own' : kind);
  }
}

export class MoveJob extends OfOne {
  readonly name = 'MoveJob';
  readonly to: JobState;
  constructor(n: number, to: JobState) {
    super(n);
    this.to = to;
  }
  override isPossible({ upstream }: Model, { id }: Story): boolean {
    const job = upstream.jobs.get(id);
    return job?.state === 'QUEUED' || (job?.state === 'GENERATING' && this.to !== 'GENERATING');
  }
  async actOn({ id }: Story, { upstream }: Model): Promise<void> {
    const job = upstream.jobs.get(id);
    if (job !== undefined) job.state = this.to;
  }
}

/** A POST that hung is answered after all. */
export class Answer extends OfOne {
  readonly name = 'Answer';
  readonly outcome: Outcome;
  constructor(n: number, outcome: Outcome) {
    super(n);
    this.outcome = outcome;
  }
  override isPossible({ upstream }: Model, { id }: Story): boolean {
    return upstream.isHeld(id) && outcomes[this.outcome].made === upstream.jobs.has(id);
  }
  async actOn(story: Story, model: Model, world: World): Promise<void> {
    world.upstream.release(story.id, this.outcome);
    await world.settle();
    if (story.sender?.isAlive === true) settle(model, story, this.outcome);
  }
}
