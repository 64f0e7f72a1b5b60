import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';

export type Message = {
  type: string;
  id?: string;
  payload?: { data?: Record<string, unknown> | null; errors?: unknown[] };
};

export type Closing = { code: number; reason: string };

/** A `graphql-transport-ws` connection without a client library: the test sends each message itself and can stop reading. */
export class RawWebSocket {
  readonly socket: WebSocket;
  readonly messages: Message[] = [];
  readonly closed: Promise<Closing>;
  readonly #waiting = new Set<() => void>();
  #closing: Closing | null = null;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      this.messages.push(JSON.parse(String(data)) as Message);
      for (const check of this.#waiting) check();
    });
    // A broken connection also emits `close`, which `closed` reports.
    socket.on('error', () => undefined);
    this.closed = once(socket, 'close').then(([code, reason]) => {
      this.#closing = { code: code as number, reason: String(reason) };
      for (const check of this.#waiting) check();
      return this.#closing;
    });
  }

  /**
   * Connects without sending a message.
   *
   * @param url of the server, as `http://…` without a path
   */
  static async connect(
    url: string,
    subprotocols: string | string[] = 'graphql-transport-ws',
  ): Promise<RawWebSocket> {
    const raw = new RawWebSocket(
      new WebSocket(`${url.replace(/^http/, 'ws')}/graphql`, subprotocols),
    );
    await Promise.race([once(raw.socket, 'open'), raw.closed]);
    return raw;
  }

  /** Connects, sends `connection_init` with this payload, and waits for `connection_ack`. */
  static async open(url: string, payload?: unknown): Promise<RawWebSocket> {
    const raw = await RawWebSocket.connect(url);
    raw.send({ type: 'connection_init', payload });
    await raw.message(({ type }) => type === 'connection_ack');
    return raw;
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  subscribe(id: string, query: string, variables: Record<string, unknown> = {}): void {
    this.send({ id, type: 'subscribe', payload: { query, variables } });
  }

  complete(id: string): void {
    this.send({ id, type: 'complete' });
  }

  /** Resolves with the first matching message; rejects when the connection closes without one. */
  message(fits: (message: Message) => boolean): Promise<Message> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = this.messages.find(fits);
        if (found === undefined && this.#closing === null) return;
        this.#waiting.delete(check);
        if (found !== undefined) resolve(found);
        else reject(new Error(`Closed without that message: ${JSON.stringify(this.#closing)}`));
      };
      this.#waiting.add(check);
      check();
    });
  }
}

/** The status of a rejected upgrade, or 101. */
export async function statusOfUpgrade(
  url: string,
  { path = '/graphql', headers = {} }: { path?: string; headers?: Record<string, string> },
): Promise<number> {
  const address = `${url.replace(/^http/, 'ws')}${path}`;
  const socket = new WebSocket(address, 'graphql-transport-ws', { headers });
  // A terminated handshake emits an error.
  socket.on('error', () => undefined);
  const rejected = once(socket, 'unexpected-response').then(
    ([, response]) => (response as IncomingMessage).statusCode ?? 0,
  );
  const status = await Promise.race([once(socket, 'open').then(() => 101), rejected]);
  socket.terminate();
  return status;
}
