import type { WebSocket } from 'ws';

/** Above this many unread bytes nothing more is read from the client. A page of a hundred lip-syncs is a tenth of it. */
const maxUnreadBytes = 1_048_576;

/**
 * The same for a client that was not admitted, which gets only errors and answers to its pings. Without it two thousand
 * connections without a token could hold 8 MB each.
 */
const maxUnreadBytesUnadmitted = 65_536;

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
  readonly #isAdmitted: () => boolean;
  readonly #pending = new Set<string>();
  #lastInLine: Promise<void> = Promise.resolve();
  #wake: () => void = () => undefined;
  #isUnderObservation = false;
  #isHeldBack = false;
  #flushed: Promise<void> | null = null;

  constructor(socket: WebSocket, isAdmitted: () => boolean) {
    this.#socket = socket;
    this.#isAdmitted = isAdmitted;
    const send = socket.send.bind(socket);
    // Errors of `send` are dropped: a client that disconnects meanwhile is not a fault, `close` reports it, and graphql-ws
    // would write a stack to the console for each message.
    socket.send = (data: string, onSent?: unknown) => {
      if (typeof onSent === 'function') send(data, () => onSent());
      else send(data);
      this.#disconnectIfUnread();
      this.#holdBackIfUnread();
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

  /**
   * Null: the client can be sent more now. Otherwise resolves when it has read what was sent, or the connection closed.
   * For the first events of subscriptions, of which a client can start hundreds at once.
   */
  waitUntilRead(): Promise<void> | null {
    if (this.#socket.bufferedAmount <= this.#maxUnreadBytes) return null;
    this.#flushed ??= this.#flush().finally(() => {
      this.#flushed = null;
    });
    return this.#flushed;
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
      if (this.#socket.bufferedAmount > this.#maxUnreadBytes) await this.#flush();
      else await this.#nextRelease();
    }
    this.#socket.resume();
  }

  get #isAtCapacity(): boolean {
    const { bufferedAmount } = this.#socket;
    return bufferedAmount > this.#maxUnreadBytes || this.#pending.size >= maxPendingOperations;
  }

  get #maxUnreadBytes(): number {
    return this.#isAdmitted() ? maxUnreadBytes : maxUnreadBytesUnadmitted;
  }

  /** For messages that are not operations: each ping of the protocol is answered with its whole payload. */
  #holdBackIfUnread(): void {
    if (this.#isHeldBack || this.#socket.bufferedAmount <= this.#maxUnreadBytes) return;
    this.#isHeldBack = true;
    this.#lastInLine = this.#lastInLine.then(async () => {
      await this.#waitForCapacity();
      this.#isHeldBack = false;
    });
  }

  /**
   * A frame is queued behind all unread bytes: when it was sent, they were sent too. A pong, because a client may answer
   * only the newest ping, and the heartbeat waits for the answer to its own.
   */
  #flush(): Promise<void> {
    return new Promise((resolve) => this.#socket.pong(undefined, false, () => resolve()));
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
export function closeSocket(socket: WebSocket, code?: number, reason?: string): void {
  const timer = setTimeout(() => socket.terminate(), graceMs);
  socket.once('close', () => clearTimeout(timer));
  socket.close(code, reason);
}
