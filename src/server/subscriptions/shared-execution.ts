import { initContextCache } from '@pothos/core';
import type { ExecutionArgs, ExecutionResult } from 'graphql';
import type { Context } from '../../graphql/context.ts';
import { Payload } from './payload.ts';
import { shapeOf } from './shape.ts';

/** Executes the operation for one event. Callers can see the result as it is. */
export type ExecuteEvent = (event: object, context: Context) => Promise<ExecutionResult>;

/** A subscription that can cause an execution. */
type Subscription = { args: ExecutionArgs; executeEvent: ExecuteEvent };

export type Outcome = Payload | { error: unknown };

/** Receives the payload of an event. @returns what it does after all other subscribers have received the payload */
type Receive = (outcome: Outcome) => () => void;

/** Subscribers that are served in one turn of the event loop. Between turns the process answers other clients. */
const maxPerTurn = 250;

/** Executes events for all subscriptions of one shape. */
export class SharedExecution {
  readonly shape: string;
  subscriptions = 0;
  /** The payload of each event, or the subscribers that wait for it, for as long as a subscriber can receive the event. */
  readonly #payloads = new WeakMap<object, Payload | Receive[]>();

  constructor(shape: string) {
    this.shape = shape;
  }

  /**
   * The payload of an event; or null, and `receive` is called with it later. The first subscriber that asks causes the
   * execution, with its own arguments: subscribers of one shape differ only in what no result depends on. Subscribers that
   * have received the same event object share the payload.
   */
  payloadOf(event: object, by: Subscription, receive: Receive): Payload | null {
    const known = this.#payloads.get(event);
    if (known instanceof Payload) return known;
    if (known !== undefined) known.push(receive);
    else {
      const waiting = [receive];
      this.#payloads.set(event, waiting);
      void this.#executeFor(waiting, event, by);
    }
    return null;
  }

  async #executeFor(waiting: Receive[], event: object, by: Subscription): Promise<void> {
    const outcome = await executeWithNewContext(event, by).catch((error: unknown) => ({ error }));
    if (outcome instanceof Payload) this.#payloads.set(event, outcome);
    else this.#payloads.delete(event);
    passOn(waiting, outcome);
  }
}

/**
 * Loaders cache for the lifetime of their context: with one context for the whole subscription every event would show the
 * first value. The subscriber's signal is left out, because other subscribers wait for the result.
 */
async function executeWithNewContext(
  event: object,
  { args, executeEvent }: Subscription,
): Promise<Payload> {
  const { signal } = new AbortController();
  const context: Context = { ...(args.contextValue as Context), ...initContextCache(), signal };
  return new Payload(await executeEvent(event, context), cursorIn(event));
}

/**
 * The continuations begin when the last subscriber has received the payload. After the last event of a log each of them sends
 * a message, which would delay the event for the subscribers of the next turns.
 */
function passOn(waiting: readonly Receive[], outcome: Outcome): void {
  const continuations: (() => void)[] = [];
  inTurns(waiting, {
    act: (receive) => continuations.push(receive(outcome)),
    after: () => inTurns(continuations, { act: (proceed) => proceed() }),
  });
}

function inTurns<T>(
  items: readonly T[],
  { act, after }: { act: (item: T) => void; after?: () => void },
): void {
  for (const item of items.slice(0, maxPerTurn)) act(item);
  if (items.length > maxPerTurn) {
    setImmediate(() => inTurns(items.slice(maxPerTurn), { act, ...(after && { after }) }));
  } else after?.();
}

function cursorIn(event: object): string | null {
  return 'cursor' in event && typeof event.cursor === 'string' ? event.cursor : null;
}

/** The executions of all open subscriptions, by shape. */
export class SharedExecutions {
  readonly #byShape = new Map<string, SharedExecution>();
  /** Must be released once. */
  acquire(args: ExecutionArgs): SharedExecution {
    const shape = shapeOf(args);
    const execution = this.#byShape.get(shape) ?? new SharedExecution(shape);
    this.#byShape.set(shape, execution);
    execution.subscriptions += 1;
    return execution;
  }

  release(execution: SharedExecution): void {
    execution.subscriptions -= 1;
    if (execution.subscriptions === 0) this.#byShape.delete(execution.shape);
  }
}
