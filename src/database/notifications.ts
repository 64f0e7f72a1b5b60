import { setTimeout as wait } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import type { Log } from '../log.ts';
import { Channels, quoteChannel } from './channels.ts';
import type { Listener } from './sql.ts';

const firstDelayMs = 100;
const maxDelayMs = 5_000;
// Detects a connection that died silently, for example behind a firewall or after a pulled cable.
const heartbeatMs = 10_000;
const answerTimeoutMs = 5_000;

/** The one PostgreSQL connection for LISTEN. Opened for the first listener, then kept open until `close`. */
export class Notifications {
  readonly #config: ClientConfig;
  readonly #log: Log;
  readonly #channels: Channels;
  readonly #closed = new AbortController();
  #client: Client | undefined;
  #wasConnected = false;
  #heartbeat: NodeJS.Timeout | undefined;
  #lastTask: Promise<unknown> = Promise.resolve();

  constructor(config: ClientConfig, log: Log) {
    this.#config = { ...config, query_timeout: answerTimeoutMs };
    this.#log = log;
    this.#channels = new Channels(log);
  }

  /** Resolves once the server has accepted LISTEN. Waits for a server that is unavailable. */
  async listen(channel: string, listener: Listener): Promise<() => Promise<void>> {
    const entry = this.#channels.add(channel, listener);
    try {
      await this.#enqueue(() => this.#subscribe(channel));
    } catch (error) {
      this.#channels.remove(channel, entry);
      throw error;
    }
    return async () => {
      if (!this.#channels.remove(channel, entry)) return;
      // Not awaited, because the server can be unavailable. A later connection does not listen to this channel anyway.
      this.#enqueue(async () => {
        if (this.#channels.names.includes(channel)) return;
        await this.#client?.query(`unlisten ${quoteChannel(channel)}`);
      }).catch(() => undefined);
    };
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error('The database is closed.'));
    clearInterval(this.#heartbeat);
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
    await this.#lastTask;
  }

  /** Runs one task at a time on the connection: node-postgres has deprecated its own queue of queries. */
  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#lastTask.then(() => {
      this.#closed.signal.throwIfAborted();
      return task();
    });
    this.#lastTask = result.catch(() => undefined);
    return result;
  }

  async #subscribe(channel: string): Promise<void> {
    for (;;) {
      const client = this.#client ?? (await this.#connectUntilDone());
      try {
        await client.query(`listen ${quoteChannel(channel)}`);
        return;
      } catch (error) {
        this.#drop(client, error);
      }
    }
  }

  async #connectUntilDone(): Promise<Client> {
    const { signal } = this.#closed;
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, maxDelayMs)) {
      signal.throwIfAborted();
      try {
        return await this.#connect();
      } catch (error) {
        signal.throwIfAborted();
        this.#log.warn(
          { err: error, retryAfterMs: delayMs },
          'cannot open the LISTEN connection to the database',
        );
        await wait(delayMs, undefined, { signal });
      }
    }
  }

  async #connect(): Promise<Client> {
    const client = new Client(this.#config);
    this.#client = client;
    client.on('error', (error) => this.#drop(client, error));
    client.on('end', () => this.#drop(client, new Error('The server ended the connection.')));
    client.on('notification', ({ channel, payload }) => {
      this.#channels.deliver(channel, payload ?? '');
    });
    try {
      await client.connect();
      for (const channel of this.#channels.names) {
        await client.query(`listen ${quoteChannel(channel)}`);
      }
    } catch (error) {
      this.#client = undefined;
      client.end().catch(() => undefined);
      throw error;
    }
    if (this.#wasConnected) {
      this.#log.info('reconnected the LISTEN connection to the database');
      this.#channels.notifyReconnected();
    }
    this.#wasConnected = true;
    this.#heartbeat ??= setInterval(() => this.#checkAlive(), heartbeatMs).unref();
    return client;
  }

  #checkAlive(): void {
    this.#enqueue(async () => {
      const client = this.#client;
      await client?.query('select 1').catch((error: unknown) => this.#drop(client, error));
    }).catch(() => undefined);
  }

  #drop(client: Client, error: unknown): void {
    if (this.#client !== client || this.#closed.signal.aborted) return;
    this.#client = undefined;
    this.#log.warn({ err: error }, 'lost the LISTEN connection to the database');
    client.end().catch(() => undefined);
    this.#enqueue(async () => {
      if (this.#client === undefined) await this.#connectUntilDone();
    }).catch(() => undefined);
  }
}
