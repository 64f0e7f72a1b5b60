import { AsyncLocalStorage } from 'node:async_hooks';
import type { Log } from '../log.ts';
import type { Listener } from './sql.ts';

export function quoteChannel(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`;
}

/** Who listens to which channel of one connection. */
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
   * Messages are read off the wire in the context of whatever was running then, perhaps somebody's transaction;
   * the listener gets its own context back.
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

  /** True when nobody listens to the channel any more. */
  remove(channel: string, entry: Listener): boolean {
    const listeners = this.#listeners.get(channel);
    if (listeners?.delete(entry) !== true || listeners.size > 0) return false;
    this.#listeners.delete(channel);
    return true;
  }

  deliver(channel: string, payload: string): void {
    for (const listener of [...(this.#listeners.get(channel) ?? [])]) listener.onMessage(payload);
  }

  tellReconnected(): void {
    for (const listeners of [...this.#listeners.values()]) {
      for (const listener of [...listeners]) listener.onReconnected();
    }
  }

  // One listener that throws must not cost the others their message, nor the driver its connection.
  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#log.error({ err: error }, 'a listener of a database channel failed');
    }
  }
}
