/**
 * Operations without their first answer, as over a WebSocket. Before its stream is open nobody reads, and then a few are
 * enough.
 */
const mostUnanswered = { open: 100, unopened: 10 };

/** Results that lie there for a client that does not read; more wait where they come from. */
const mostUnread = 16;

/** What one client may leave lying in a stream of graphql-sse's single connection mode. */
export class ReservedStream {
  isOpen = false;
  readonly #unanswered = new Set<object>();
  readonly #waiting: (() => void)[] = [];
  #unread = 0;
  #isOver = false;

  /** Whether this operation may begin. */
  admit(operation: object): boolean {
    const most = this.isOpen ? mostUnanswered.open : mostUnanswered.unopened;
    if (this.#unanswered.size >= most) return false;
    this.#unanswered.add(operation);
    return true;
  }

  /** The operation has its first answer, or came to its end without one. */
  answered(operation: object): void {
    this.#unanswered.delete(operation);
  }

  /** Waits until a result more may be put there. */
  async waitForRoom(): Promise<void> {
    while (this.#unread >= mostUnread && !this.#isOver) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#unread += 1;
  }

  /** The client has read one. */
  wasRead(): void {
    this.#unread -= 1;
    this.#waiting.shift()?.();
  }

  end(): void {
    this.#isOver = true;
    for (const goOn of this.#waiting.splice(0)) goOn();
  }
}
