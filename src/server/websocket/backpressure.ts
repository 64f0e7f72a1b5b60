import type { WebSocket } from 'ws';

/** With more than this unread a client's next operations wait. A page of a hundred lip-syncs is a tenth of it. */
const mostUnreadBytes = 1_048_576;

/** So many operations may be without their first answer; more wait. As many as HTTP/2 lets run on one connection. */
const mostUnanswered = 100;

/** With more than this unread, for as long as `patienceMs`, a client is cut: its live subscriptions tell too much. */
const mostBeforeCut = 8 * 1_048_576;

/** A client that neither reads nor answers is waited for no longer than this. */
const patienceMs = 1_000;

/**
 * How much one client is allowed to ask. Whoever asks without reading is slowed down: nothing more is taken from its
 * connection until it has read what it was sent. So it costs a bounded amount of memory, and loses nothing.
 */
export class Intake {
  readonly #socket: WebSocket;
  readonly #unanswered = new Set<string>();
  #lastTurn: Promise<void> = Promise.resolve();
  #wake: () => void = () => undefined;
  #isSuspect = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    const send = socket.send.bind(socket);
    // A message that can't be sent any more is no error: the close says that the connection is over, and graphql-ws
    // would write a stack to the console for each of them.
    socket.send = (data: string, sent?: unknown) => {
      send(data, () => (typeof sent === 'function' ? sent() : undefined));
      this.#cutUnlessRead();
    };
    socket.once('close', () => this.#wake());
  }

  /** Waits for this operation's turn. False where the connection ended first, and then it must not begin. */
  async admit(id: string): Promise<boolean> {
    this.#lastTurn = this.#lastTurn.then(() => this.#waitForRoom());
    await this.#lastTurn;
    this.#unanswered.add(id);
    return this.#isOpen;
  }

  /** The operation has its first answer, or came to its end without one. */
  answered(id: string): void {
    if (this.#unanswered.delete(id)) this.#wake();
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  async #waitForRoom(): Promise<void> {
    while (this.#isOpen && this.#isFull) {
      this.#socket.pause();
      if (this.#socket.bufferedAmount > mostUnreadBytes) await this.#flushed();
      else await this.#nextAnswer();
    }
    this.#socket.resume();
  }

  get #isFull(): boolean {
    const { bufferedAmount } = this.#socket;
    return bufferedAmount > mostUnreadBytes || this.#unanswered.size >= mostUnanswered;
  }

  /** A ping goes behind all that is unread: when it has left us, all that has left us too. */
  #flushed(): Promise<void> {
    return new Promise((resolve) => this.#socket.ping(undefined, false, () => resolve()));
  }

  #nextAnswer(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** No code would reach it; a connection that breaks tells it to come back, and its cursors still hold. */
  #cutUnlessRead(): void {
    if (this.#isSuspect || this.#socket.bufferedAmount <= mostBeforeCut) return;
    this.#isSuspect = true;
    setTimeout(() => {
      this.#isSuspect = false;
      if (this.#socket.bufferedAmount > mostBeforeCut) this.#socket.terminate();
    }, patienceMs);
  }
}

/** Closes with a code that the client is told, and without its answer where that does not come. */
export function endSocket(socket: WebSocket, code: number, reason: string): void {
  const timer = setTimeout(() => socket.terminate(), patienceMs);
  socket.once('close', () => clearTimeout(timer));
  socket.close(code, reason);
}
