import type { WebSocket } from 'ws';
import { isAdmitted } from '../../graphql/access.ts';
import type { Caller } from '../../graphql/context.ts';
import { OwnerSlots } from '../../owner-slots.ts';

export type SocketLimits = {
  /** Connections of all signed-in callers. One owner gets at most half of them. */
  signedIn: number;
  /** Connections before `connection_init`, or without a valid token. */
  others: number;
};

export const defaultSocketLimits: SocketLimits = { signedIn: 20_000, others: 2_000 };

/** Limits the WebSockets of this process. */
export class SocketCounter {
  readonly #maxOthers: number;
  readonly #slots: OwnerSlots;
  /** Not signed in; the oldest first. */
  readonly #others = new Set<WebSocket>();

  constructor({ signedIn, others }: SocketLimits) {
    this.#maxOthers = others;
    this.#slots = new OwnerSlots({ all: signedIn });
  }

  /**
   * Counts a new connection. If there are too many without a signed-in caller, the oldest is disconnected: a client signs in
   * at once, so a flood of connections that do not sign in replaces only its own.
   */
  add(socket: WebSocket): void {
    this.#others.add(socket);
    socket.once('close', () => this.#others.delete(socket));
    if (this.#others.size <= this.#maxOthers) return;
    const [oldest] = this.#others;
    if (oldest === undefined) return;
    this.#others.delete(oldest);
    oldest.terminate();
  }

  /** @param closed aborts when the connection closes @returns false if the owner gets no further connection */
  signIn(socket: WebSocket, caller: Caller, closed: AbortSignal): boolean {
    if (!isAdmitted(caller)) return true;
    const release = this.#slots.acquire(caller.owner);
    if (release === null) return false;
    this.#others.delete(socket);
    if (closed.aborted) release();
    else closed.addEventListener('abort', release, { once: true });
    return true;
  }
}
