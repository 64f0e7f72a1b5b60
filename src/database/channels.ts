import { AsyncLocalStorage } from 'node:async_hooks';
import type { Log } from '../log.ts';
import type { Listener } from './sql.ts';

export function quoteChannel(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`;
}

/** The listeners of one connection, by channel. */
export class Channels {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  get names(): string[] {
    return [...this.#listeners.keys()];
  }

  /**
   * The driver reads messages in the async context of an unrelated caller, possibly inside its transaction. Each listener
   * therefore runs in the context in which it was added.
   */
  add(channel: string, listener: Listener): Listener {
    const restore = AsyncLocalStorage.snapshot();
    const entry: Listener = {
      onMessage: (payload) => this.#call(() => restore(() => listener.onMessage(payload))),
      onReconnected: () => this.#call(() => restore(() => listener.onReconnected())),
    };
    const listeners = this.#listeners.get(channel);
    if (listeners === undefined) this.#listeners.set(channel, new Set([entry]));
    else listeners.add(entry);
    return entry;
  }

  /** @returns true if the channel has no listener left */
  remove(channel: string, entry: Listener): boolean {
    const listeners = this.#listeners.get(channel);
    if (listeners?.delete(entry) !== true || listeners.size > 0) return false;
    this.#listeners.delete(channel);
    return true;
  }

  deliver(channel: string, payload: string): void {
    for (const listener of [...(this.#listeners.get(channel) ?? [])]) listener.onMessage(payload);
  }

  notifyReconnected(): void {
    for (const listeners of [...this.#listeners.values()]) {
      for (const listener of [...listeners]) listener.onReconnected();
    }
  }

  // A listener that throws must not keep the message from the others or break the driver's connection.
  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#log.error({ err: error }, 'a listener of a database channel failed');
    }
  }
}
