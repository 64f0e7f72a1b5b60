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
  /** The longest pause between two bytes of a body, with or without files. */
  idleMs: number;
};

/** Without these limits a client could hold a connection by sending one byte now and then. Node's defaults are not shorter. */
export const defaultClientTimeouts: ClientTimeouts = {
  headersMs: 30_000,
  bodyMs: 60_000,
  filesMs: 300_000,
  idleMs: 10_000,
};

/** The bytes of a body are counted this often within `idleMs`. */
const idleChecks = 5;

/**
 * Ends a request whose body has not arrived in time or has stopped arriving. Not for uploads: they have an idle timeout of
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
  const stopIdleChecks = watchForSilence(request, socket, { idleMs, onSilence: cutOff });
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
 * Calls `onSilence` once, when no byte of the request has arrived for `idleMs`. Checks in a row are counted instead of the
 * time, so that a blocked event loop does not count as silence of the client.
 */
function watchForSilence(
  request: IncomingMessage,
  socket: Socket,
  { idleMs, onSilence }: { idleMs: number; onSilence: () => void },
): () => void {
  let { bytesRead } = socket;
  let silentChecks = 0;
  const stop = () => clearInterval(timer);
  const timer = setInterval(() => {
    if (request.complete || socket.destroyed) return stop();
    silentChecks = socket.bytesRead === bytesRead ? silentChecks + 1 : 0;
    ({ bytesRead } = socket);
    if (silentChecks < idleChecks) return;
    stop();
    onSilence();
  }, idleMs / idleChecks);
  return stop;
}
