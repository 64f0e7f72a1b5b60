import type { ExecutionResult } from 'graphql';
import type { WebSocket } from 'ws';
import type { Log } from '../../log.ts';
import { maskError } from '../operation/masking.ts';
import { stripHttpExtension } from '../operation/request-error.ts';
import type { Payload } from '../subscriptions/payload.ts';
import type { PayloadStream } from '../subscriptions/payload-stream.ts';
import type { Sink } from '../subscriptions/result-queue.ts';
import type { Backpressure } from './backpressure.ts';

type Target = {
  socket: WebSocket;
  id: string;
  log: Log;
  backpressure: Backpressure;
  /** The open deliveries of the process. */
  open: Set<object>;
};

/**
 * The results of a subscription as graphql-ws reads them. It gives graphql-ws only the end: the `next` messages are written to
 * the socket as soon as they are ready, because graphql-ws would serialise each of them again and spend several promises on
 * it. Everything else of the protocol stays with graphql-ws: ids, `complete` and `error` messages, and the end of the stream.
 */
export class SocketDelivery implements AsyncIterableIterator<ExecutionResult>, Sink {
  readonly #stream: PayloadStream;
  readonly #target: Target;
  readonly #end = Promise.withResolvers<IteratorResult<ExecutionResult>>();
  #hasBegun = false;
  #hasSent = false;

  constructor(stream: PayloadStream, target: Target) {
    this.#stream = stream;
    this.#target = target;
    target.open.add(this);
  }

  /** Called when graphql-ws has registered the subscription. Resolves at the end of it. */
  next(): Promise<IteratorResult<ExecutionResult>> {
    if (!this.#hasBegun) this.#stream.deliver(this);
    this.#hasBegun = true;
    return this.#end.promise;
  }

  return(): Promise<IteratorResult<ExecutionResult>> {
    this.#stream.close();
    this.complete();
    return this.#end.promise;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** A client that has not read what was sent before gets no further event until it has read this one. */
  send(payload: Payload): Promise<void> | undefined {
    const { socket, id, backpressure } = this.#target;
    if (socket.readyState !== socket.OPEN) return undefined;
    const isRead = this.#hasSent ? null : backpressure.waitUntilRead();
    if (isRead !== null) return isRead.then(() => this.send(payload));
    this.#hasSent = true;
    const { json } = payload;
    const message = `{"id":${JSON.stringify(id)},"type":"next","payload":${json}}`;
    if (socket.bufferedAmount > 0) {
      return new Promise((resolve) => socket.send(message, () => resolve()));
    }
    // Without a callback, which costs more than the message.
    socket.send(message);
    return undefined;
  }

  complete(): void {
    this.#target.open.delete(this);
    this.#end.resolve({ done: true, value: undefined });
  }

  fail(error: unknown): void {
    this.#target.open.delete(this);
    const [masked] = stripHttpExtension([maskError(error, this.#target.log)]);
    this.#end.reject(masked);
  }
}
