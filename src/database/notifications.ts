import { setTimeout as wait } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import type { Log } from '../log.ts';
import { Channels, quoteChannel } from './channels.ts';
import type { Listener } from './sql.ts';

const firstDelayMs = 100;
const longestDelayMs = 5_000;
// A connection that died without a word (a firewall, a pulled cable) is noticed by asking.
const heartbeatMs = 10_000;
const answerTimeoutMs = 5_000;

/** The one connection to PostgreSQL that only listens. Opened when first needed, then kept until `close`. */
export class Notifications {
  readonly #config: ClientConfig;
  readonly #log: Log;
  readonly #channels: Channels;
  readonly #closed = new AbortController();
  #client: Client | undefined;
  #wasConnected = false;
  #heartbeat: NodeJS.Timeout | undefined;
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor(config: ClientConfig, log: Log) {
    this.#config = { ...config, query_timeout: answerTimeoutMs };
    this.#log = log;
    this.#channels = new Channels(log);
  }

  /** Resolves once the server knows the channel: where it is away, once it is back. */
  async listen(channel: string, listener: Listener): Promise<() => Promise<void>> {
    const entry = this.#channels.add(channel, listener);
    try {
      await this.#inTurn(() => this.#subscribe(channel));
    } catch (error) {
      this.#channels.remove(channel, entry);
      throw error;
    }
    return async () => {
      if (!this.#channels.remove(channel, entry)) return;
      // Not waited for, since the server may be away. A connection made later does not listen to this channel anyway.
      this.#inTurn(async () => {
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
    await this.#lastTurn;
  }

  /** One task at a time uses the connection: node-postgres is giving up its own queue. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(() => {
      this.#closed.signal.throwIfAborted();
      return task();
    });
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
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
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, longestDelayMs)) {
      signal.throwIfAborted();
      try {
        return await this.#connect();
      } catch (error) {
        signal.throwIfAborted();
        this.#log.warn({ err: error, retryAfterMs: delayMs }, 'cannot listen to the database');
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
      this.#log.info('listening to the database again');
      this.#channels.tellReconnected();
    }
    this.#wasConnected = true;
    this.#heartbeat ??= setInterval(() => this.#checkAlive(), heartbeatMs).unref();
    return client;
  }

  #checkAlive(): void {
    this.#inTurn(async () => {
      const client = this.#client;
      await client?.query('select 1').catch((error: unknown) => this.#drop(client, error));
    }).catch(() => undefined);
  }

  #drop(client: Client, error: unknown): void {
    if (this.#client !== client || this.#closed.signal.aborted) return;
    this.#client = undefined;
    this.#log.warn({ err: error }, 'lost the connection that listens to the database');
    client.end().catch(() => undefined);
    this.#inTurn(async () => {
      if (this.#client === undefined) await this.#connectUntilDone();
    }).catch(() => undefined);
  }
}
