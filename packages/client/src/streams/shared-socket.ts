import { maxTimerMs } from '../back-off.ts';
import { LipsyncRequestError } from '../errors.ts';
import type { ExecutionResult, RequestError } from '../result.ts';
import { headersOf, type LipsyncServer, type Operation, resolveUrl } from '../server.ts';
import { createWatchdog, type Sink } from './transport.ts';

/** Close codes from 4400 to 4499 mean a client error that a reconnect would repeat, except these. */
const retryableCloseCodes = [
  4403, // The token expired. The next connection sends a fresh one.
  4408, // `connection_init` arrived too late, for example because `token()` was slow.
];

const normalClosure = 1000;

type CloseEvent = { code: number; reason: string };

/** Of the protocol. `id` names the stream. */
type Message = { id?: string; type: string; payload?: unknown };

/** `WebSocket.OPEN` */
const openState = 1;

/** The part of `WebSocket` that is used here. */
type Socket = {
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  onclose: ((event: unknown) => void) | null;
  send(text: string): void;
  close(code: number): void;
};

export type SocketClass = new (url: string, protocol: string) => Socket;

/**
 * One socket of the protocol `graphql-transport-ws`, and its streams. Written here, because the client of graphql-ws is a third
 * of the whole kit, and most of it is what the kit may not use: retries that begin at the first cursor, and a second socket
 * in the place of the first.
 */
export class SharedSocket {
  /** Also while it is closing. */
  isClosed = false;
  readonly #silenceMs: number;
  readonly #watchdog: ReturnType<typeof createWatchdog>;
  readonly #streams = new Map<string, { operation: Operation; sink: Sink }>();
  #socket: Socket | undefined;
  #pingTimer: ReturnType<typeof setTimeout> | undefined;
  #isAcknowledged = false;
  #lastId = 0;

  /** @throws TypeError for an invalid URL */
  constructor(server: LipsyncServer, Implementation: SocketClass, silenceMs: number) {
    const url = resolveUrl(server).href.replace(/^http/, 'ws');
    this.#silenceMs = silenceMs;
    this.#watchdog = createWatchdog(silenceMs, () =>
      this.#fail(new Error('The socket fell silent.')),
    );
    // Before the socket, because the server waits only three seconds for `connection_init`, and a sign-in dialog takes longer.
    headersOf(server)
      .then((params) => {
        if (!this.isClosed) this.#open(new Implementation(url, 'graphql-transport-ws'), params);
      })
      .catch((error) => this.#fail(error));
  }

  /** Returns a function that closes the stream, and the socket with its last stream. */
  stream(operation: Operation, sink: Sink): () => void {
    this.#lastId += 1;
    const id = String(this.#lastId);
    this.#streams.set(id, { operation, sink });
    if (this.#isAcknowledged) this.#send({ id, type: 'subscribe', payload: operation });
    return () => {
      if (this.#streams.delete(id)) this.#send({ id, type: 'complete' });
      if (this.#streams.size === 0) this.#close();
    };
  }

  #open(socket: Socket, params: Record<string, string>): void {
    this.#socket = socket;
    this.#watchdog.reset();
    socket.onopen = () => this.#send({ type: 'connection_init', payload: params });
    socket.onmessage = ({ data }) => {
      if (this.isClosed) return;
      try {
        this.#receive(JSON.parse(String(data)) as Message);
        // A server that answers and never acknowledges the connection counts as silent.
        if (this.#isAcknowledged && !this.isClosed) this.#watchdog.reset();
      } catch (error) {
        this.#fail(error);
      }
    };
    socket.onerror = (event) => this.#fail(event);
    socket.onclose = (event) => this.#fail(event);
  }

  #receive({ id = '', type, payload }: Message): void {
    const sink = this.#streams.get(id)?.sink;
    switch (type) {
      case 'connection_ack':
        this.#isAcknowledged = true;
        this.#schedulePing();
        for (const [each, { operation }] of this.#streams) {
          this.#send({ id: each, type: 'subscribe', payload: operation });
        }
        break;
      case 'ping':
        this.#send({ type: 'pong', payload });
        break;
      case 'pong':
        this.#schedulePing();
        for (const stream of this.#streams.values()) stream.sink.heartbeat();
        break;
      case 'next':
        sink?.next(payload as ExecutionResult);
        break;
      case 'error':
        this.#streams.delete(id);
        if (sink !== undefined) reportError(payload, sink);
        break;
      case 'complete':
        this.#streams.delete(id);
        sink?.complete();
    }
  }

  #send(message: Message): void {
    if (this.#socket?.readyState === openState) this.#socket.send(JSON.stringify(message));
  }

  #schedulePing(): void {
    clearTimeout(this.#pingTimer);
    this.#pingTimer = setTimeout(
      () => this.#send({ type: 'ping' }),
      Math.min(this.#silenceMs / 3, maxTimerMs),
    );
  }

  /** Events that arrive after it was closed here are ignored: the streams have ended. */
  #fail(error: unknown): void {
    if (this.isClosed) return;
    this.#close();
    for (const { sink } of this.#streams.values()) reportError(error, sink);
    this.#streams.clear();
  }

  #close(): void {
    this.isClosed = true;
    this.#watchdog.stop();
    clearTimeout(this.#pingTimer);
    this.#socket?.close(normalClosure);
  }
}

/** @param error a list of GraphQL errors, a close event, or a network error */
function reportError(error: unknown, sink: Sink): void {
  if (Array.isArray(error)) {
    const errors = error as RequestError[];
    // The token expired while the socket was open. The next socket sends a fresh one.
    if (errors[0]?.extensions?.code === 'NOT_AUTHENTICATED') sink.disconnect(errors[0]);
    else sink.next({ errors });
    return;
  }
  const { code = 0, reason = '' } = (error ?? {}) as Partial<CloseEvent>;
  const isFatal = code >= 4400 && code <= 4499 && !retryableCloseCodes.includes(code);
  if (isFatal) {
    sink.refuse(new LipsyncRequestError(reason || `Closed with code ${code}.`, String(code)));
  } else sink.disconnect(error);
}
