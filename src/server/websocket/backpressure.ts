import type { WebSocket } from 'ws';

/** Above this many unread bytes the client's next operations wait. A page of a hundred lip-syncs is a tenth of it. */
const maxUnreadBytes = 1_048_576;

/** Operations of one connection without a first result; more wait. HTTP/2 commonly allows as many on one connection. */
const maxPendingOperations = 100;

/** A client with more unread bytes than this for `graceMs` is disconnected: its subscriptions produce more than it reads. */
const disconnectAboveBytes = 8 * 1_048_576;

/** How long a client that does not read, or does not answer a close frame, stays connected. */
const graceMs = 1_000;

/**
 * Limits what one client can have in progress. A client that sends operations without reading the results is slowed down:
 * nothing more is read from its connection until it has read what was sent. So its memory use is bounded and nothing is
 * lost.
 */
export class Backpressure {
  readonly #socket: WebSocket;
  readonly #pending = new Set<string>();
  #lastInLine: Promise<void> = Promise.resolve();
  #wake: () => void = () => undefined;
  #isUnderObservation = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    const send = socket.send.bind(socket);
    // Errors of `send` are dropped: a client that disconnects meanwhile is no fault, `close` reports it, and graphql-ws
    // would write a stack to the console for each message.
    socket.send = (data: string, onSent?: unknown) => {
      if (typeof onSent === 'function') send(data, () => onSent());
      else send(data);
      this.#disconnectIfUnread();
    };
    socket.once('close', () => this.#wake());
  }

  /** Waits until this operation can start. False: the connection closed first, and it must not start. */
  async waitForTurn(id: string): Promise<boolean> {
    this.#lastInLine = this.#lastInLine.then(() => this.#waitForCapacity());
    await this.#lastInLine;
    this.#pending.add(id);
    return this.#isOpen;
  }

  /** Must be called when the operation has its first result, or has ended without one. */
  release(id: string): void {
    if (this.#pending.delete(id)) this.#wake();
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  async #waitForCapacity(): Promise<void> {
    while (this.#isOpen && this.#isAtCapacity) {
      this.#socket.pause();
      if (this.#socket.bufferedAmount > maxUnreadBytes) await this.#flush();
      else await this.#nextRelease();
    }
    this.#socket.resume();
  }

  get #isAtCapacity(): boolean {
    const { bufferedAmount } = this.#socket;
    return bufferedAmount > maxUnreadBytes || this.#pending.size >= maxPendingOperations;
  }

  /** A ping is queued behind all unread bytes: when it was sent, they were sent too. */
  #flush(): Promise<void> {
    return new Promise((resolve) => this.#socket.ping(undefined, false, () => resolve()));
  }

  #nextRelease(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Without a close frame, which the client would not read either. It reconnects, and its cursors stay valid. */
  #disconnectIfUnread(): void {
    if (this.#isUnderObservation || this.#socket.bufferedAmount <= disconnectAboveBytes) return;
    this.#isUnderObservation = true;
    setTimeout(() => {
      this.#isUnderObservation = false;
      if (this.#socket.bufferedAmount > disconnectAboveBytes) this.#socket.terminate();
    }, graceMs);
  }
}

/** Sends a close frame, and terminates the connection if the client does not answer it. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  const timer = setTimeout(() => socket.terminate(), graceMs);
  socket.once('close', () => clearTimeout(timer));
  socket.close(code, reason);
}
