import type { ExecutionArgs, ExecutionResult } from 'graphql';
import type { Context } from '../../graphql/context.ts';
import type { LiveEvents } from '../../live-events.ts';
import { Payload } from './payload.ts';
import { ResultQueue, type Sink } from './result-queue.ts';
import type {
  ExecuteEvent,
  Outcome,
  SharedExecution,
  SharedExecutions,
} from './shared-execution.ts';

/** Settles the cost of a subscription with its first result. @returns extensions of that result */
export type SettleFirst = (result: ExecutionResult) => Promise<Record<string, unknown>>;

/** Charges for every other result. @returns if the result may not be sent yet, a promise that resolves when it may */
export type ChargeNext = (payload: Payload, isOpen: () => boolean) => Promise<void> | undefined;

type Parts = {
  events: LiveEvents<object>;
  args: ExecutionArgs;
  executeEvent: ExecuteEvent;
  executions: SharedExecutions;
  settleFirst: SettleFirst;
  chargeNext: ChargeNext;
  /** Whether the caller's credential has expired. */
  isExpired: (context: Context) => boolean;
};

/**
 * The payloads of one subscription, in order. A transport calls `deliver` and then receives each payload in the turn of the
 * event loop in which it is ready, or reads the results as an async iterator.
 */
export class PayloadStream implements AsyncIterableIterator<ExecutionResult> {
  readonly #parts: Parts;
  #settleFirst: SettleFirst | null;
  #sink: Sink | null = null;
  /** Acquired by `deliver`, so that a stream that is never read holds no resources. */
  #execution: SharedExecution | null = null;
  #queue: ResultQueue | null = null;
  /** A payload is being executed, or the client can take no more. */
  #isBusy = false;
  #hasEnded = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#settleFirst = parts.settleFirst;
  }

  deliver(sink: Sink): void {
    if (this.#hasEnded) return;
    this.#sink = sink;
    this.#execution = this.#parts.executions.acquire(this.#parts.args);
    this.#parts.events.onReady(this.#pump);
    this.#pump();
  }

  /** Closes the subscription at once. The sink receives nothing more. */
  close(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#sink = null;
    if (this.#execution !== null) this.#parts.executions.release(this.#execution);
    this.#execution = null;
    void this.#parts.events.return();
  }

  next(): Promise<IteratorResult<ExecutionResult>> {
    if (this.#queue === null) {
      this.#queue = new ResultQueue();
      this.deliver(this.#queue);
    }
    return this.#queue.next();
  }

  return(): Promise<IteratorResult<ExecutionResult>> {
    this.close();
    this.#queue?.complete();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly #pump = (): void => {
    try {
      while (this.#execution !== null && !this.#isBusy) {
        const taken = this.#parts.events.take();
        if (taken === 'none') return;
        if (taken === 'complete') {
          this.#complete();
          return;
        }
        const payload = this.#execution.payloadOf(taken, this.#parts, this.#receive);
        if (payload === null) this.#isBusy = true;
        else this.#send(payload);
      }
    } catch (error) {
      this.#fail(error);
    }
  };

  /** Must not throw: the other subscribers receive the same payload after it. */
  readonly #receive = (outcome: Outcome): (() => void) => {
    this.#isBusy = false;
    try {
      if (!(outcome instanceof Payload)) this.#fail(outcome.error);
      else if (!this.#hasEnded) this.#send(outcome);
    } catch (error) {
      this.#fail(error);
    }
    return this.#pump;
  };

  #send(payload: Payload): void {
    const settle = this.#settleFirst;
    this.#settleFirst = null;
    const sent =
      settle === null ? this.#writeCharged(payload) : this.#writeSettled(payload, settle);
    if (sent !== undefined) void this.#continueAfter(sent);
  }

  async #writeSettled(payload: Payload, settle: SettleFirst): Promise<void> {
    const extensions = await settle(payload.result);
    await this.#write(payload.withExtensions(extensions));
  }

  #writeCharged(payload: Payload): Promise<void> | undefined {
    const paid = this.#parts.chargeNext(payload, () => !this.#hasEnded);
    return paid === undefined ? this.#write(payload) : paid.then(() => this.#write(payload));
  }

  #write(payload: Payload): Promise<void> | undefined {
    // The transport notices the end of a credential only at its next check, and then ends the connection. The
    // subscription is not complete, so the client can continue it.
    if (this.#parts.isExpired(this.#parts.args.contextValue as Context)) this.close();
    return this.#sink?.send(payload);
  }

  async #continueAfter(sent: Promise<void>): Promise<void> {
    this.#isBusy = true;
    try {
      await sent;
      this.#isBusy = false;
      this.#pump();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const sink = this.#sink;
    this.close();
    sink?.fail(error);
  }

  #complete(): void {
    const sink = this.#sink;
    this.close();
    sink?.complete();
  }
}
