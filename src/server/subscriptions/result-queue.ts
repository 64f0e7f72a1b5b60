import type { ExecutionResult } from 'graphql';
import type { Payload } from './payload.ts';

/** Where a transport sends the payloads of a subscription. */
export type Sink = {
  /** @returns if the client can take no more now, a promise that resolves when it can */
  send(payload: Payload): Promise<void> | undefined;
  complete(): void;
  fail(error: unknown): void;
};

/** A sink whose results are read one after the other, for transports that wait for an answer to each. */
export class ResultQueue implements Sink {
  #result: ExecutionResult | null = null;
  #end: { error: unknown } | 'complete' | null = null;
  #onRead: () => void = () => undefined;
  #onChange: () => void = () => undefined;

  send({ result }: Payload): Promise<void> {
    this.#result = result;
    this.#onChange();
    return new Promise((resolve) => {
      this.#onRead = resolve;
    });
  }

  complete(): void {
    this.#end = 'complete';
    this.#onChange();
  }

  fail(error: unknown): void {
    this.#end = { error };
    this.#onChange();
  }

  async next(): Promise<IteratorResult<ExecutionResult>> {
    while (this.#result === null && this.#end === null) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    const value = this.#result;
    if (value !== null) {
      this.#result = null;
      this.#onRead();
      return { done: false, value };
    }
    if (this.#end !== null && this.#end !== 'complete') throw this.#end.error;
    return { done: true, value: undefined };
  }
}
