import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendRequestTimeout } from './responses.ts';

/** The time limits for each part of a request. */
export type ClientTimeouts = {
  /** The URL and the headers. */
  headersMs: number;
  /** A body without files, at most one megabyte. */
  bodyMs: number;
  /** A multipart body, at most 25 megabytes. */
  filesMs: number;
};

/** Without these limits a client could hold a connection by sending one byte now and then. Node's defaults are not shorter. */
export const defaultClientTimeouts: ClientTimeouts = {
  headersMs: 30_000,
  bodyMs: 60_000,
  filesMs: 300_000,
};

/** Ends a request whose body has not arrived in time. Not for uploads: they have an idle timeout instead. */
export function enforceTimeouts(
  request: IncomingMessage,
  response: ServerResponse,
  { bodyMs, filesMs }: ClientTimeouts,
): void {
  // Kept in a variable: `request.socket` can be null once the request is over.
  const { socket } = request;
  const hasFiles = /^multipart\//i.test(request.headers['content-type'] ?? '');
  const timer = setTimeout(
    () => {
      if (request.complete) return;
      if (response.headersSent) socket.destroy();
      else sendRequestTimeout(response);
    },
    hasFiles ? filesMs : bodyMs,
  );
  request.once('end', () => clearTimeout(timer));
  // Read the rest of a body that was answered early: the client can't read the response before it has sent everything.
  response.once('finish', () => request.resume());
  // The timer stays while a client goes on sending after its response, because Node would read on without a limit.
  response.once('close', () => {
    if (request.complete || socket.destroyed) clearTimeout(timer);
  });
}
