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
  /** The time in which a body, with or without files, has to bring `minBytesPerSecond` on average. */
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
 * A quarter of what a phone with a bad connection sends. With a rule about silence alone, a byte now and then would hold a
 * place until the whole time is over.
 */
const minBytesPerSecond = 2_000;

/** The bytes of a body are counted this often within `idleMs`. */
const idleChecks = 5;

/**
 * Ends a request whose body has not arrived in time or arrives too slowly. Not for uploads: they have an idle timeout of
 * their own, which does not count the time in which the video service is the slow end.
 */
export function enforceTimeouts(
  request: IncomingMessage,
  response: ServerResponse,
  { bodyMs, filesMs, idleMs }: ClientTimeouts,
): void {
  // Kept in a variable: `request.socket` can be null once the request is over.
  const { socket } = request;
  const hasFiles = /^multipart\//i.test(request.headers['content-type'] ?? '');
  const cutOff = () => {
    if (request.complete) return;
    if (response.headersSent) socket.destroy();
    else sendRequestTimeout(response);
  };
  const timer = setTimeout(cutOff, hasFiles ? filesMs : bodyMs);
  const stopIdleChecks = watchRate(request, socket, { idleMs, onTooSlow: cutOff });
  const stopTimers = () => {
    clearTimeout(timer);
    stopIdleChecks();
  };
  request.once('end', stopTimers);
  // Read the rest of a body that was answered early: the client can't read the response before it has sent everything.
  response.once('finish', () => request.resume());
  // The timers stay while a client goes on sending after its response, because Node would read on without a limit.
  response.once('close', () => {
    if (request.complete || socket.destroyed) stopTimers();
  });
}

/**
 * Calls `onTooSlow` once, when fewer bytes of the request than `minBytesPerSecond` have arrived within `idleMs`. Checks in a
 * row are counted instead of the time, so that a blocked event loop does not count as slowness of the client.
 */
function watchRate(
  request: IncomingMessage,
  socket: Socket,
  { idleMs, onTooSlow }: { idleMs: number; onTooSlow: () => void },
): () => void {
  const minBytes = (minBytesPerSecond * idleMs) / 1000;
  /** The bytes that had been read at the last checks, the oldest first. */
  const counts = [socket.bytesRead];
  const stop = () => clearInterval(timer);
  const timer = setInterval(() => {
    if (request.complete || socket.destroyed) return stop();
    counts.push(socket.bytesRead);
    if (counts.length <= idleChecks) return;
    const received = socket.bytesRead - (counts.shift() ?? 0);
    if (received >= minBytes) return;
    stop();
    onTooSlow();
  }, idleMs / idleChecks);
  return stop;
}

const defaultUnreadMs = 60_000;

/**
 * Disconnects a client that does not read its response: the rest would stay in memory for ever. The time starts again with
 * each piece that the client has read. Event streams have a rule of their own.
 */
export function limitUnreadTime(
  response: ServerResponse,
  { unreadMs = defaultUnreadMs }: ClientTimeouts,
): void {
  let sentBytes = -1;
  let quietChecks = 0;
  const timer = setInterval(() => {
    const { socket } = response;
    if (socket === null || response.writableLength === 0 || isEventStream(response)) {
      quietChecks = 0;
      return;
    }
    const sent = socket.bytesWritten - socket.writableLength;
    quietChecks = sent === sentBytes ? quietChecks + 1 : 0;
    sentBytes = sent;
    if (quietChecks >= idleChecks) socket.destroy();
  }, unreadMs / idleChecks);
  response.once('close', () => clearInterval(timer));
}

function isEventStream(response: ServerResponse): boolean {
  return String(response.getHeader('content-type')).startsWith('text/event-stream');
}
