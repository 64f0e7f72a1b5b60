import { initContextCache } from '@pothos/core';
import { type ExecutionArgs, type ExecutionResult, execute } from 'graphql';
import type { Context } from '../../graphql/context.ts';
import { Payload } from './payload.ts';
import { shapeOf } from './shape.ts';

/** Hides what callers must not see. */
type Mask = (result: ExecutionResult, args: ExecutionArgs) => ExecutionResult;

export type Outcome = Payload | { error: unknown };

/** Receives the payload of an event. @returns what it does after all other subscribers have received the payload */
type Receive = (outcome: Outcome) => () => void;

/** Subscribers that receive a payload in one turn of the event loop. Between turns the process answers other clients. */
const maxPerTurn = 250;

/** Executes events for all subscriptions of one shape. */
export class SharedExecution {
  readonly shape: string;
  subscriptions = 0;
  readonly #mask: Mask;
  /** The payload of each event, or the subscribers that wait for it, for as long as a subscriber can receive the event. */
  readonly #payloads = new WeakMap<object, Payload | Receive[]>();

  constructor(shape: string, mask: Mask) {
    this.shape = shape;
    this.#mask = mask;
  }

  /**
   * The payload of an event; or null, and `receive` is called with it later. The first subscriber that asks causes the
   * execution, with its own arguments: subscribers of one shape differ only in what no result depends on. Subscribers that
   * have received the same event object share the payload.
   */
  payloadOf(event: object, args: ExecutionArgs, receive: Receive): Payload | null {
    const known = this.#payloads.get(event);
    if (known instanceof Payload) return known;
    if (known !== undefined) known.push(receive);
    else {
      const waiting = [receive];
      this.#payloads.set(event, waiting);
      void this.#executeFor(waiting, event, args);
    }
    return null;
  }

  async #executeFor(waiting: Receive[], event: object, args: ExecutionArgs): Promise<void> {
    const outcome = await this.#execute(event, args).catch((error: unknown) => ({ error }));
    if (outcome instanceof Payload) this.#payloads.set(event, outcome);
    else this.#payloads.delete(event);
    passOn(waiting, outcome);
  }

  /**
   * With a new context. Loaders cache for the lifetime of their context: with one context for the whole subscription every
   * event would show the first value. The subscriber's signal is left out, because other subscribers wait for the result.
   */
  async #execute(event: object, args: ExecutionArgs): Promise<Payload> {
    const { signal } = new AbortController();
    const context = args.contextValue as Context;
    const contextValue: Context = { ...context, ...initContextCache(), signal };
    const result = await execute({ ...args, rootValue: event, contextValue });
    return new Payload(this.#mask(result, args), cursorIn(event));
  }
}

function passOn(waiting: readonly Receive[], outcome: Outcome): void {
  const continuations = waiting.slice(0, maxPerTurn).map((receive) => receive(outcome));
  for (const proceed of continuations) proceed();
  if (waiting.length > maxPerTurn) setImmediate(passOn, waiting.slice(maxPerTurn), outcome);
}

function cursorIn(event: object): string | null {
  return 'cursor' in event && typeof event.cursor === 'string' ? event.cursor : null;
}

/** The executions of all open subscriptions, by shape. */
export class SharedExecutions {
  readonly #byShape = new Map<string, SharedExecution>();
  readonly #mask: Mask;

  constructor(mask: Mask) {
    this.#mask = mask;
  }

  /** Must be released once. */
  acquire(args: ExecutionArgs): SharedExecution {
    const shape = shapeOf(args);
    const execution = this.#byShape.get(shape) ?? new SharedExecution(shape, this.#mask);
    this.#byShape.set(shape, execution);
    execution.subscriptions += 1;
    return execution;
  }

  release(execution: SharedExecution): void {
    execution.subscriptions -= 1;
    if (execution.subscriptions === 0) this.#byShape.delete(execution.shape);
  }
}
