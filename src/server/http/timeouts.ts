import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { sendRequestTimeout } from './responses.ts';

/** The time limits for each part of a request. */
export type ClientTimeouts = {
  /** The URL and the headers. */
  headersMs: number;
  /** A body without files, at most one megabyte. */
  bodyMs: number;
  /** A multipart body, at most 25 megabytes. */
  filesMs: number;
  /** The time over which a body, with or without files, must arrive at `minBytesPerSecond` on average. */
  idleMs: number;
  /** How long a client can leave a response unread, event streams excepted. Default: a minute. */
  unreadMs?: number;
};

/** Without these limits a client could hold a connection by sending one byte now and then. Node's defaults are not shorter. */
export const defaultClientTimeouts: ClientTimeouts = {
  headersMs: 30_000,
  bodyMs: 60_000,
  filesMs: 300_000,
  idleMs: 10_000,
};

/**
 * A quarter of what a phone with a bad connection sends. If only silence were limited, a client could hold a slot until the
 * time limit of the whole body by sending a byte now and then.
 */
const minBytesPerSecond = 2_000;

/** The number of checks within the shortest of the time limits. */
const checks = 5;

const defaultUnreadMs = 60_000;

/** An exchange whose request or response is not complete yet. */
type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  /** Kept here: `request.socket` can be null once the request is over. */
  socket: Socket;
  /** In checks. Null: the body has limits of its own. */
  maxBodyChecks: number | null;
  bodyChecks: number;
  /** The bytes that had been read at the last checks, the oldest first. */
  readBytes: number[];
  /** The bytes that had been sent at the last check, and how many checks in a row found no more. */
  sentBytes: number;
  unreadChecks: number;
};

/**
 * Ends requests whose body has not arrived in time or arrives too slowly, and disconnects clients that do not read
 * their response: the rest would stay in memory for ever. One timer checks all open exchanges, because a timer for each
 * would take a tenth of the time of a small query. So a limit can be exceeded by the time between two checks.
 *
 * Checks in a row are counted instead of the time, so that a blocked event loop does not count as slowness of a client.
 */
export class RequestTimeouts {
  readonly #timeouts: Required<ClientTimeouts>;
  readonly #intervalMs: number;
  readonly #open = new Set<Exchange>();
  readonly #timer: NodeJS.Timeout;

  constructor(timeouts: ClientTimeouts) {
    this.#timeouts = { unreadMs: defaultUnreadMs, ...timeouts };
    const { bodyMs, filesMs, idleMs, unreadMs } = this.#timeouts;
    this.#intervalMs = Math.min(bodyMs, filesMs, idleMs, unreadMs) / checks;
    this.#timer = setInterval(() => this.#check(), this.#intervalMs).unref();
  }

  /**
   * @param options.hasBodyLimits false for uploads: they have an idle timeout of their own, which does not count the time in
   *   which the video service is the slow end
   * @returns must be called when the response closes
   */
  watch(
    request: IncomingMessage,
    response: ServerResponse,
    { hasBodyLimits }: { hasBodyLimits: boolean },
  ): () => void {
    const { socket } = request;
    const maxBodyChecks = hasBodyLimits ? this.#maxBodyChecksOf(request) : null;
    const exchange: Exchange = {
      request,
      response,
      socket,
      maxBodyChecks,
      bodyChecks: 0,
      readBytes: [],
      sentBytes: -1,
      unreadChecks: 0,
    };
    this.#open.add(exchange);
    // Read the rest of a body that was answered early: the client can't read the response before it has sent everything.
    if (hasBodyLimits) response.on('finish', () => request.resume());
    return () => {
      // The limits stay while a client continues to send after its response, because Node would read on without a limit.
      if (maxBodyChecks === null || request.complete || socket.destroyed) {
        this.#open.delete(exchange);
      }
    };
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #maxBodyChecksOf({ headers }: IncomingMessage): number {
    const { bodyMs, filesMs } = this.#timeouts;
    const hasFiles = /^multipart\//i.test(headers['content-type'] ?? '');
    return Math.ceil((hasFiles ? filesMs : bodyMs) / this.#intervalMs);
  }

  #check(): void {
    for (const exchange of this.#open) {
      const { request, response, socket, maxBodyChecks } = exchange;
      const hasBody = !request.complete && !socket.destroyed;
      if (response.closed && !hasBody) this.#open.delete(exchange);
      else if (hasBody && maxBodyChecks !== null && this.#isBodyLate(exchange, maxBodyChecks)) {
        cutOff(exchange);
      } else if (!response.closed && this.#isUnread(exchange)) socket.destroy();
    }
  }

  /** Also if fewer bytes than `minBytesPerSecond` have arrived within `idleMs`. */
  #isBodyLate(exchange: Exchange, maxBodyChecks: number): boolean {
    const { socket, readBytes } = exchange;
    const { idleMs } = this.#timeouts;
    exchange.bodyChecks += 1;
    if (exchange.bodyChecks > maxBodyChecks) return true;
    readBytes.push(socket.bytesRead);
    if (readBytes.length <= idleMs / this.#intervalMs) return false;
    return socket.bytesRead - (readBytes.shift() ?? 0) < (minBytesPerSecond * idleMs) / 1000;
  }

  /** The time starts again with each piece that the client has read. Event streams have a rule of their own. */
  #isUnread(exchange: Exchange): boolean {
    const { response, socket } = exchange;
    if (response.writableLength === 0 || isEventStream(response)) {
      exchange.unreadChecks = 0;
      return false;
    }
    const sentBytes = socket.bytesWritten - socket.writableLength;
    exchange.unreadChecks = sentBytes === exchange.sentBytes ? exchange.unreadChecks + 1 : 0;
    exchange.sentBytes = sentBytes;
    return exchange.unreadChecks >= this.#timeouts.unreadMs / this.#intervalMs;
  }
}

function cutOff({ response, socket }: Exchange): void {
  if (response.headersSent) socket.destroy();
  else sendRequestTimeout(response);
}

function isEventStream(response: ServerResponse): boolean {
  return String(response.getHeader('content-type')).startsWith('text/event-stream');
}
